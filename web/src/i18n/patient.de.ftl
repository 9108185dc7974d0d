patient-title = Verlauf
patient-title-bed = Verlauf: Bett { $bed }
patient-course = Verlauf
patient-born = geb. { $date }
patient-record-number = Aktennummer
patient-birth-date = Geburtsdatum
patient-family = Nachname
patient-given = Vorname
patient-stays = Liegezeiten
patient-today = heute
patient-export = Als CSV ausgeben
patient-range = Zeitraum
patient-hours = { $hours } h
patient-days = { $days } Tage
patient-as-table = Als Tabelle
patient-refresh = Aktualisieren
patient-refused = { $count ->
    [one] Ein Messwert steht Ihnen für diesen Zeitraum nicht offen.
   *[other] { $count } Messwerte stehen Ihnen für diesen Zeitraum nicht offen.
}
patient-nothing = In diesem Zeitraum ist nichts gespeichert, das Ihnen offensteht.
patient-no-values = keine Werte
patient-hour = Stunde
patient-low = kleinster
patient-high = größter
patient-last = letzter
patient-until = Stand { $time }
patient-at = { $time }
patient-trends = Kurven des Verlaufs; Pfeiltasten bewegen die Zeitmarke
patient-consents = Einwilligungen
