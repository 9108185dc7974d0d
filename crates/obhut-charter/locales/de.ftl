# Was `obhut charter explain` und `obhut charter diff` sagen. Zahlen und Texte der Charta kommen als fertige Argumente.

title = Was die Charta „{ $name }“ erlaubt
fingerprint = Fassung (SHA-256): { $fingerprint }
promise = Was hier nicht steht, ist nicht erlaubt: Es wird abgewiesen, gezählt und angezeigt.
enforced = Diese Fassung des Programms setzt selbst durch, was Geräte senden dürfen, wie oft, wie genau, mit welcher Zuordnung, wie lange Werte bleiben, und wer wessen Daten wofür sieht: Rollen, Beziehungen, Zwecke, Einwilligungen, Projekte. Wo der Abschnitt alarms steht, wacht es nach diesen Grenzen, Verzögerungen, Pausen und Eskalationen über die Betten, und nach nichts sonst. Netz, Schnittstellen und Freigaben sind erklärt und geprüft, aber noch nicht vom Programm durchgesetzt.
disclaimer = Verteiltes Informationssystem, nicht als vorrangige Alarmierung zu verwenden; kein zertifiziertes Medizinprodukt, keine Rechtsberatung.

heading-controller = Wer verantwortlich ist
controller = { $name }. Es gilt { $regime }.
authority = Aufsichtsbehörde für Beschwerden: { $name }.
contact = { $role }: { $name }, { $email }
contact-phone = { $role }: { $name }, { $email }, { $phone }
contact-dpo = Datenschutz
contact-security = Informationssicherheit
contact-device-safety = Medizinproduktesicherheit
ward = Die Charta gilt für { $name }, { $n ->
    [0] ohne Betten.
    [one] ein Bett ({ $first }).
   *[other] { $count } Betten ({ $first } bis { $last }).
}
regime-gdpr = die Datenschutz-Grundverordnung (DSGVO) mit dem Bundesdatenschutzgesetz
regime-kdg = das Gesetz über den Kirchlichen Datenschutz (KDG)
regime-dsg-ekd = das Datenschutzgesetz der Evangelischen Kirche in Deutschland (DSG-EKD)

heading-purposes = Wozu und mit welchem Recht
purpose-basis = Erlaubt durch: { $list }.
purpose-exception = Gesundheitsdaten sind zulässig wegen: { $list }.
purpose-no-health = Dafür werden keine Gesundheitsdaten verarbeitet.
purpose-law = Gesetze dahinter: { $list }.
purpose-secrecy = Verschwiegenheit: { $source }.
purpose-consent = Nur mit Einwilligung der Patientin oder des Patienten; ohne sie geschieht nichts.
purpose-no-consent = Eine Einwilligung ist dafür nicht nötig.
purpose-raw = Rohe Kurven werden dafür höchstens so lange aufbewahrt: { $period }.
purpose-no-raw = Rohe Kurven werden dafür nicht aufbewahrt.
ground = { $gist } ({ $cite })

heading-data = Welche Daten, warum, wie oft, wie genau, wie lange
data-for = Für: { $purpose }
data-why = Warum: { $why }
data-how = Höchstens { $rate }, auf { $resolution } genau.
data-period = Der nächste Wert ist fällig nach: { $period }.
data-kept = Aufbewahrung: { $period } { $start }, danach gelöscht ({ $class }).
data-patient = Nur bei zugeordneter Patientin oder zugeordnetem Patienten; sonst abgewiesen.
data-no-patient = Ohne Zuordnung nur live gezeigt und nie gespeichert.
none-data = Keine. Es werden keine Messwerte verarbeitet.

heading-roles = Wer sie im Haus sieht und was wer darf
role-may = Darf: { $list }.
role-may-nothing = Darf nichts.
role-relation-ward = Wessen: Patienten auf einer Station, für die die Rolle gegeben wurde.
role-relation-case = Wessen: Patienten, für die jemand verantwortlich eingetragen ist.
role-relation-own = Wessen: nur die eigenen.
role-relation-ticket = Wessen: nur Geräte, die ein offenes Ticket nennt; keine Patienten.
role-relation-none = Wessen: keine Patienten.
role-purposes = Wofür: { $list }.
role-purposes-none = Für keinen Zweck.
role-data = Sieht Werte von: { $list }.
role-data-all = Sieht Werte aller oben genannten Daten.
role-data-none = Sieht keine Messwerte.
role-training = Nur mit gültiger Schulung: { $text }; zu wiederholen { $n ->
    [one] jeden Monat.
   *[other] alle { $count } Monate.
}
role-no-training = Ohne Schulungspflicht.
role-external = Arbeitet für: { $recipient }.
none-roles = Niemand. Es sind keine Rollen erklärt.
heading-access = Wie lange Zugriff dauert und was getrennt bleibt
access-after-discharge = Nach Entlassung erreichen die Behandelnden den Patienten noch: { $period }. Danach nur im Notfall.
access-session = Angemeldet bleibt man höchstens: { $period }. Ohne Berührung sperrt der Bildschirm nach: { $idle }.
access-break-glass = Ein Notfallzugriff gilt einem Patienten, braucht einen Grund und dauert höchstens: { $period }. Jemand anderes prüft ihn binnen: { $review }.
access-reasons = Gründe: { $list }.
access-reasons-none = Es gibt keine Gründe, also keinen Notfallzugriff.
access-apart = Niemand ist zugleich { $one } und { $other }.
access-console = Wer auf der Maschine selbst arbeitet, handelt als { $role }.
access-console-none = Die Befehlszeile auf der Maschine darf nichts.

heading-consent = Wozu Patienten gefragt werden
consent-purpose = Wofür: { $purpose }.
consent-valid = Gilt: { $period }, bis zum Widerruf; danach heißt es nein.
consent-text = Wortlaut: „{ $text }“
consent-hash = SHA-256: { $hash }
none-consent = Zu nichts. Was eine Einwilligung braucht, geschieht nicht.

heading-projects = Was pseudonymisiert herausgegeben werden darf
project-purpose = Wofür: { $purpose }.
project-data = Enthält: { $list }.
project-data-all = Enthält alle oben genannten Daten.
project-data-none = Enthält nichts.
project-k = Nur, wenn sich mindestens { $k } Patienten gleichen; nur bis { $expiry }.
project-recipient = Geht an: { $recipient }.
project-house = Bleibt im Haus.
none-projects = Nichts.

heading-notices = Was Patienten gesagt wird
notice-line = { $id }, Fassung { $version }: „{ $text }“
none-notices = Nichts ist hinterlegt.

heading-recipients = Wer außerhalb des Hauses etwas bekommt
recipient-purpose = Wozu: { $purpose }.
recipient-data = Bekommt: { $list }.
recipient-data-all = Bekommt alle oben genannten Daten.
recipient-data-none = Bekommt keine Messwerte.
recipient-contract = { $kind }: { $reference }, bis { $expiry }.
recipient-pledge = Zur Verschwiegenheit verpflichtet: { $reference }, bis { $expiry }.
recipient-guarantee = Drittland, zulässig durch: { $guarantee }.
none-recipients = Niemand.
contract-processor = Auftragsverarbeitung (Art. 28 DSGVO)
contract-joint-controller = Gemeinsame Verantwortung (Art. 26 DSGVO)
contract-controller = Eigene Verantwortung

heading-interfaces = Schnittstellen
interface-line = { $kind }, { $direction }: { $text }.
interface-assessment = Geprüft: { $reference }; Unterschrift: { $by }, { $on }; gültig bis { $expiry }.
interface-data = Betrifft: { $list }.
interface-data-all = Betrifft alle oben genannten Daten.
interface-data-none = Betrifft keine Messwerte.
interface-recipient = Gegenstelle ist der Empfänger { $recipient }.
none-interfaces = Keine.
kind-fhir = FHIR
kind-hl7 = HL7 Version 2
kind-sdc = SDC
direction-in = Daten kommen herein
direction-out = Daten gehen hinaus
direction-both = Daten gehen in beide Richtungen

heading-models = Was Geräte senden dürfen
model-title = { $name } von { $maker } ({ $id }), { $kind }
model-sends = Darf senden: { $list }.
model-sends-nothing = Darf nichts senden.
model-slower = { $name } ({ $id }), hier nur { $rate }
model-limits = Höchstens { $messages } Nachrichten je Sekunde zu je höchstens { $bytes } Byte.
model-firmware-staged = Neue Firmware: signiert und in Stufen, mit Rückweg.
model-firmware-manufacturer = Neue Firmware: nur durch die Technik des Herstellers am Gerät.
model-firmware-never = Die Firmware wird nicht geändert.
model-firmware-none = Über eine Änderung der Firmware ist nichts erklärt; sie ist nicht erlaubt.
model-firmware-minimum = Älteste zugelassene Firmware: { $version }.
model-firmware-in-use = Auch während ein Patient zugeordnet ist.
model-firmware-not-in-use = Nie, während ein Patient zugeordnet ist.
model-attestation-required = Ohne Echtheitsnachweis keine Verbindung.
model-attestation-preferred = Ein Echtheitsnachweis wird verlangt; fehlt er, wird das angezeigt.
model-attestation-none = Ein Echtheitsnachweis wird nicht verlangt.
model-life = Lebenserhaltend: wird nie ohne einen Menschen vom Netz getrennt.
none-models = Keine. Es darf kein Gerät senden.
device-monitor = Überwachungsmonitor
device-infusion-pump = Infusionspumpe
device-movement-sensor = Bewegungssensor
device-pulse-oximeter = Pulsoxymeter
device-thermometer = Thermometer
device-blood-pressure = Blutdruckmessgerät
device-ventilator = Beatmungsgerät
device-gateway = Gerätezugang
device-test-equipment = Prüfgerät, nie an Patienten

heading-retention = Was sonst wie lange aufbewahrt wird
retention-line = { $covers }: { $period } { $start }. Grund: { $basis }.
retention-data = Messwerte der Klasse { $class }: { $period } { $start }. Grund: { $basis }.
none-retention = Nichts.
start-measurement = ab der Messung
start-creation = ab dem Entstehen
start-end-of-stay = ab dem Ende des Aufenthalts
start-end-of-treatment = ab dem Ende der Behandlung
start-end-of-consent = ab Widerruf oder Ablauf der Einwilligung
start-decommissioning = ab der Außerbetriebnahme
start-supersession = ab der Ablösung durch Neueres
start-closing = ab Abschluss des Vorgangs
start-departure = ab Ausscheiden
covers-access-log = Zugriffsprotokoll
covers-security-log = Sicherheitsprotokoll
covers-treatment-record = Behandlungsakte
covers-binding = Zuordnungen von Gerät, Bett und Patient
covers-consent = Einwilligungen und Widerrufe
covers-accountability = Rechenschaft (Vorfälle, Bewertungen, frühere Fassungen)
covers-device-telemetry = technische Gerätedaten
covers-device-file = Geräteakte
covers-backup = Sicherungskopien
covers-identity = Namen, Geburtsdaten, Fallnummern
covers-request = Anträge von Patienten
covers-break-glass = Notfallzugriffe und ihre Prüfung
covers-people = Verzeichnis der Menschen und Rollen
covers-ticket = Tickets für Fremdfirmen
covers-hold = Löschsperren
covers-erasure-certificate = Löschnachweise
covers-disclosure = Herausgaben an Projekte und Auflösungen von Pseudonymen

heading-network = Erlaubte Verbindungen im Netz
flow-line = { $from } → { $to }, { $protocol }-Port { $port }. Zweck: { $purpose }. Verantwortlich: { $owner }. Bis { $expiry }.
none-network = Keine.

heading-alarms = Alarmgrenzen, mit denen ein Bett beginnt
alarm-line = { $name } ({ $id }), Priorität { $priority }: { $limits }{ $delay }{ $latching }.
alarm-below = unter { $limit }
alarm-above = über { $limit }
alarm-delay = , nach { $seconds } s
alarm-latching = , bleibt bis zum Quittieren
alarm-falls = fällt um mehr als { $limit } in { $over }
alarm-rises = steigt um mehr als { $limit } in { $over }
alarm-signal-delay = , Signal { $seconds } s später
alarm-hysteresis = , vorbei erst { $limit } innerhalb
alarm-settable = ; am Bett einstellbar von { $from } bis { $to }
heading-alarm-rules = Wie Alarme gemeldet, pausiert und weitergegeben werden
none-alarm-rules = Nicht erklärt: Diese Station hat keine Alarme.
alarm-pauses = Tonpause höchstens { $audio }, Alarmpause höchstens { $alarm }; eine Tonpause beendet { $break }. Ton aus ohne Ende: { $off }. Neue Werte höchstens alle { $update }.
break-more-urgent = ein neuer Alarm, der dringlicher ist als alle vorherigen
break-any = jeder neue Alarm
alarm-technical = Technik: { $list }.
alarm-finding = Detektoren: { $list }.
alarm-combinations = Mehrere Werte zugleich: { $list }.
alarm-combined = { $id }: { $count } von ({ $parts }): { $signal }
alarm-escalation = Wer gerufen wird, der Reihe nach: { $list }.
alarm-responsible = wer für das Bett zuständig ist
alarm-always = Darf ab Aufnahme nicht fehlen: { $list }.
alarm-score = Frühwarn-Score { $score }, mindestens alle { $every }.
alarm-nothing = nichts
part-lead-off = Sensor ab
part-no-signal = überwachter Wert fehlt
part-suspect-data = Wert zweifelhaft
part-device-lost = Gerät weg
part-link-lost = Verbindung zum Bett weg
part-low-battery = Akku schwach
part-clock-off = Geräteuhr falsch
part-standby-values = Werte in Standby
part-unanswered = niemand antwortet
part-gateway-lost = Gateway weg
part-server-lost = Server weg
part-store-lost = Speicher weg
part-ledger-lost = Protokoll weg
part-display-lost = Anzeige weg
part-asystole = Asystolie
part-ventricular-fibrillation = Kammerflimmern
part-ventricular-tachycardia = Kammertachykardie
part-extreme-bradycardia = extreme Bradykardie
part-extreme-tachycardia = extreme Tachykardie
part-apnoea = Apnoe
part-bed-exit = Bett verlassen
part-fall = Sturz
part-repositioning-due = Lagerung fällig
part-infusion-near-end = Infusion bald leer
part-infusion-ended = Infusion leer
none-alarms = Keine. Grenzen setzt die Station am Bett.
priority-high = hoch
priority-medium = mittel
priority-low = niedrig

heading-gates = Was vor dem nächsten Schritt gezeigt sein muss
gate-kpi = { $text }: { $target } (über { $over }).
gate-at-least = mindestens { $value }
gate-at-most = höchstens { $value }
gate-evidence = Unterlagen: { $list }.
gate-approvers = Es unterschreiben: { $list }.
none-gates = Keine Freigaben erklärt.
stage-pilot = Erprobung
stage-rollout = Einführung
approver-dpo = Datenschutz
approver-security-officer = Informationssicherheit
approver-device-safety-officer = Medizinproduktesicherheit
approver-medical-lead = ärztliche Leitung
approver-nursing-lead = pflegerische Leitung
approver-management = Geschäftsführung

permission-live-view = laufende Werte sehen
permission-history-view = gespeicherte Werte sehen
permission-identity-view = sehen, wer die Patientin oder der Patient ist
permission-bind = Patienten einem Bett zuordnen
permission-alarm-acknowledge = Alarme quittieren
permission-alarm-limits = Alarmgrenzen setzen
permission-export = Werte ausführen
permission-break-glass = Notfallzugriff
permission-break-glass-review = Notfallzugriffe prüfen
permission-device-view = Geräte und ihren Zustand sehen
permission-device-manage = Geräte aufnehmen und sperren
permission-device-maintain = Geräte warten
permission-ledger-view = das Protokoll lesen
permission-evidence-view = Nachweise lesen
permission-charter-manage = eine andere Charta in Kraft setzen
permission-request-manage = Anträge von Patienten bearbeiten
permission-erase = eine Patientin oder einen Patienten löschen
permission-incident-manage = Vorfälle und Übungen leiten
permission-people-manage = Menschen einladen, Rollen geben und nehmen
permission-consent-manage = Einwilligungen aufnehmen und widerrufen
permission-own-view = eigene Daten, Einwilligungen und Zugriffe sehen
permission-research-export = pseudonymisierte Menge eines Projekts holen
permission-crosswalk = zu zweit hinter ein Pseudonym sehen
permission-system-view = Zustand des Systems sehen
permission-ticket-manage = Tickets für Fremdfirmen öffnen und schließen
permission-hold-manage = Löschsperren setzen und lösen
permission-retention-manage = Löschlauf bedienen
permission-backup-manage = Sicherungen anlegen, prüfen, einspielen
permission-key-manage = Schlüssel wechseln

rate-hertz = { $n ->
    [one] ein Wert je Sekunde
   *[other] { $count } Werte je Sekunde
}
rate-second = { $n ->
    [one] ein Wert je Sekunde
   *[other] { $count } Werte je Sekunde
}
rate-minute = { $n ->
    [one] ein Wert je Minute
   *[other] { $count } Werte je Minute
}
rate-hour = { $n ->
    [one] ein Wert je Stunde
   *[other] { $count } Werte je Stunde
}
rate-day = { $n ->
    [one] ein Wert am Tag
   *[other] { $count } Werte am Tag
}
period-second = { $n ->
    [one] eine Sekunde
   *[other] { $count } Sekunden
}
period-minute = { $n ->
    [one] eine Minute
   *[other] { $count } Minuten
}
period-hour = { $n ->
    [one] eine Stunde
   *[other] { $count } Stunden
}
period-day = { $n ->
    [one] ein Tag
   *[other] { $count } Tage
}
period-week = { $n ->
    [one] eine Woche
   *[other] { $count } Wochen
}
period-year = { $n ->
    [one] ein Jahr
   *[other] { $count } Jahre
}
all = alle
none = keine
yes = ja
no = nein

# ── diff ──
diff-title = Was sich von „{ $old }“ zu „{ $new }“ ändert
diff-same = Nichts: Beide Fassungen erlauben dasselbe.
diff-count = { $n ->
    [one] Eine Änderung
   *[other] { $count } Änderungen
}: { $more } weiten aus, { $less } schränken ein, { $other } ändern sonst etwas.
concern-patients = Für Patientinnen und Patienten
concern-staff = Für Menschen, die hier arbeiten
concern-outside = Für Stellen außerhalb des Hauses
concern-devices = Für Geräte
concern-network = Für das Netz
concern-house = Für die Leitung des Hauses
effect-more = + weitet aus
effect-less = − schränkt ein
effect-other = ~ ändert
change-added = { $what } kommt hinzu.
change-removed = { $what } fällt weg.
change-value = { $what }, { $field }: vorher { $old }, jetzt { $new }.
change-set-more = { $what }, { $field }: neu { $list }.
change-set-less = { $what }, { $field }: nicht mehr { $list }.
absent = nicht erklärt
thing-charter = Die Charta
thing-controller = Der Verantwortliche
thing-ward = Die Station
thing-bed = Bett „{ $id }“
thing-purpose = Zweck „{ $id }“
thing-data = Daten „{ $id }“
thing-device_model = Gerätemodell „{ $id }“
thing-zone = Zone „{ $id }“
thing-flow = Verbindung „{ $id }“
thing-role = Rolle „{ $id }“
thing-retention = Löschklasse „{ $id }“
thing-recipient = Empfänger „{ $id }“
thing-interface = Schnittstelle „{ $id }“
thing-alarm = Alarmgrenze „{ $id }“
thing-alarms = Wie Alarme gemeldet werden
thing-gate = Freigabe „{ $id }“
thing-kpi = Kennzahl „{ $id }“
thing-access = Der Zugriff
thing-consent_form = Einwilligungsformular „{ $id }“
thing-project = Projekt „{ $id }“
thing-notice = Hinweis „{ $id }“
field-name = Name
field-regime = geltendes Recht
field-authority = Aufsichtsbehörde
field-dpo = Datenschutz
field-security_officer = Informationssicherheit
field-device_safety_officer = Medizinproduktesicherheit
field-label = Beschriftung
field-text = Wortlaut
field-basis = Rechtsgrund
field-exception = Ausnahme für Gesundheitsdaten
field-law = Gesetze
field-secrecy = Verschwiegenheit
field-health_data = Gesundheitsdaten
field-needs_consent = Einwilligung nötig
field-raw_max = rohe Kurven höchstens
field-code = Code
field-purpose = Zweck
field-necessity = Begründung
field-rate_max = Häufigkeit höchstens
field-period = Frist
field-due = nächster Wert fällig nach
field-resolution = kleinster bekannter Schritt
field-retention = Aufbewahrung
field-needs_patient = Zuordnung nötig
field-maker = Hersteller
field-kind = Art
field-sends = darf senden
field-sends-rate = Häufigkeit
field-messages_per_second_max = Nachrichten je Sekunde höchstens
field-payload_bytes_max = Byte je Nachricht höchstens
field-firmware = Firmware
field-attestation = Echtheitsnachweis
field-life_supporting = lebenserhaltend
field-vlan = VLAN
field-from = von
field-to = nach
field-port = Port
field-protocol = Protokoll
field-owner = verantwortlich
field-expiry = Ende
field-permissions = darf
field-data = Daten
field-training = Schulung
field-recipient = Empfänger
field-start = Beginn der Frist
field-covers = umfasst
field-country = Land
field-contract = Vertrag
field-secrecy_pledge = Verpflichtung zur Verschwiegenheit
field-guarantee = Garantie für das Drittland
field-direction = Richtung
field-assessment = Prüfung
field-below = untere Grenze
field-above = obere Grenze
field-delay = Verzögerung
field-latching = bleibt bis zum Quittieren
field-falls = Abfall
field-rises = Anstieg
field-hysteresis = Hysterese
field-signal_delay = Signalverzögerung
field-settable = einstellbar
field-audio_pause_max = längste Tonpause
field-alarm_pause_max = längste Alarmpause
field-audio_pause_broken_by = Tonpause endet durch
field-audio_off = Ton aus ohne Ende
field-update_every = neue Werte höchstens alle
field-always = darf nicht fehlen
field-score = Score
field-score_every = Score mindestens alle
field-technical = Technik
field-finding = Detektoren
field-combined = Kombinationen
field-escalation = wer gerufen wird
field-stage = Schritt
field-kpis = Kennzahlen
field-evidence = Unterlagen
field-approvers = unterschreiben
field-unit = Einheit
field-at_least = mindestens
field-at_most = höchstens
field-over = Zeitraum
field-relation = Beziehung
field-purposes = Zwecke
field-after_discharge = Zugriff nach Entlassung
field-session_max = angemeldet höchstens
field-idle_lock = Sperre nach
field-break_glass_max = Notfallzugriff höchstens
field-review_within = Prüfung binnen
field-break_glass_reason = Gründe für Notfallzugriff
field-apart = getrennt
field-console = Rolle auf der Maschine
field-version = Fassung
field-valid = gilt
field-k_min = Patienten mindestens
