patient-course = Course
patient-born = born { $date }
patient-record-number = Record number
patient-birth-date = Date of birth
patient-family = Family name
patient-given = Given name
