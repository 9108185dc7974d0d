# Worte, die alle Seiten brauchen.

## Bausteine
kit-again = Erneut versuchen
kit-busy = Einen Moment …
kit-cancel = Abbrechen
kit-choose = Bitte wählen
kit-copied = In die Zwischenablage kopiert.
kit-copy = Kopieren
kit-copy-failed = Kopieren ging nicht. Bitte den Text markieren.
kit-late = seit { $time } überfällig
kit-left = noch { $time }
kit-newer = Neuere
kit-older = Ältere
kit-none = –
kit-once = Dies wird nur einmal angezeigt. Geben Sie es nur der Person, für die es bestimmt ist.
kit-optional = freiwillig
kit-pager = Blättern

## Was schiefging
problem-refused = Das steht Ihnen nicht offen.
problem-signed_out = Sie sind nicht mehr angemeldet.
problem-locked = Der Arbeitsplatz ist gesperrt.
problem-ledger_unavailable = Zugriffe können gerade nicht protokolliert werden. Gespeicherte Daten bleiben deshalb geschlossen; die Überwachung läuft weiter.
problem-unreachable = Der Server ist nicht erreichbar.
problem-timeout = Der Server hat nicht rechtzeitig geantwortet.
problem-not_understood = Die Antwort des Servers wurde nicht verstanden. Bitte die Seite neu laden.
problem-not_found = Das gibt es nicht oder nicht mehr.
problem-too_large = Das ist zu groß.
problem-too_many = Das waren zu viele Versuche. Bitte warten Sie einen Moment.
problem-internal = Der Server konnte das nicht erledigen. Bitte die IT verständigen.
problem-conflict = Das widerspricht dem, was schon da ist.
problem-status-400 = So geht das nicht.
problem-status-409 = Das widerspricht dem, was schon da ist.
problem-status-422 = So geht das nicht.
problem-status-5xx = Der Server konnte das nicht erledigen.
problem-other = Das hat nicht geklappt ({ $code }).
