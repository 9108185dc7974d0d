overview-title = Übersicht
overview-intro = Was auf Aufsicht wartet, als Zahlen. Ohne Namen, ohne Werte.
overview-reviews = Notfallzugriffe zu prüfen
overview-requests = offene Anträge
overview-holds = laufende Aufbewahrungssperren
overview-erasures = Löschungen
overview-tickets = offene Wartungsaufträge
overview-late = { $count ->
    [one] 1 überfällig
   *[other] { $count } überfällig
}
overview-none = Nichts, was Ihnen offensteht.
overview-searches = Anfragen, die auf eine zweite Person warten
