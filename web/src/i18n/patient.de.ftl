patient-course = Verlauf
patient-born = geb. { $date }
patient-record-number = Aktennummer
patient-birth-date = Geburtsdatum
patient-family = Nachname
patient-given = Vorname
