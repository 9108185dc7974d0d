breakglass-title = Notfallzugriffe beurteilen
breakglass-intro = Jeden Notfallzugriff beurteilt eine zweite Person. Er wartet hier ab dem Augenblick, in dem er begann.
breakglass-none = Es wartet nichts.
breakglass-late = { $count ->
    [one] Ein Zugriff wurde nicht rechtzeitig beurteilt.
   *[other] { $count } Zugriffe wurden nicht rechtzeitig beurteilt.
  }
breakglass-person = Person
breakglass-patient = Patient
breakglass-reason = Grund
breakglass-opened = Von, bis
breakglass-due = Fällig
breakglass-escalated = nicht rechtzeitig beurteilt
breakglass-mine = Ihr eigener; jemand anderes beurteilt ihn
breakglass-running = läuft noch
breakglass-judge = Beurteilen
breakglass-judge-text = Ihre Beurteilung bleibt, mit Ihrem Namen. Sie steht auch im Protokoll.
breakglass-judge-save = Beurteilung speichern
breakglass-verdict = Beurteilung
breakglass-verdict-justified = es war ein Notfall
breakglass-verdict-not-justified = es war kein Notfall
breakglass-why = Warum
breakglass-why-hint = Nötig, wenn es kein Notfall war.
