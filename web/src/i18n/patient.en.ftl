patient-title = Course
patient-title-bed = Course: bed { $bed }
patient-course = Course
patient-born = born { $date }
patient-record-number = Record number
patient-birth-date = Date of birth
patient-family = Family name
patient-given = Given name
patient-stays = Stays
patient-today = today
patient-export = Export as CSV
patient-range = Range
patient-hours = { $hours } h
patient-days = { $days } days
patient-as-table = As a table
patient-refresh = Refresh
patient-refused = { $count ->
    [one] One value is not open to you for this range.
   *[other] { $count } values are not open to you for this range.
}
patient-nothing = Nothing is stored in this range that is open to you.
patient-no-values = no values
patient-hour = Hour
patient-low = lowest
patient-high = highest
patient-last = last
patient-until = As of { $time }
patient-at = { $time }
patient-trends = Trends; arrow keys move the time mark
patient-consents = Consents
