# Deutsch: die erste Sprache dieser Seiten. Fachwörter wie im Glossar.

app-name = Obhut
dis-label = Verteiltes Informationssystem – nicht als primärer Alarm zu verwenden
skip-to-page = Zum Inhalt springen
close = Schließen
loading = Wird geladen …

## Eintreten
enter-title = Anmeldung
enter-checking = Einmal-Link wird geprüft …
enter-no-link = Diese Seite wird mit dem Einmal-Link geöffnet, den der Server beim Start auf der Konsole ausgibt.
enter-refused = Dieser Link wurde schon benutzt oder ist abgelaufen. Jeder Link gilt einmal und nur kurze Zeit.
enter-unreachable = Der Server ist nicht erreichbar.
enter-server = Der Server konnte die Anmeldung nicht bearbeiten.
enter-ended = Ihre Sitzung ist beendet.
enter-how = Starten Sie mit dem Link, der auf der Konsole steht – er beginnt mit „https://“ und enthält „#enter=“. Einen neuen Link gibt der Server bei jedem Start aus.
enter-retry = Erneut versuchen

## Kopf
clock-label = Stationszeit
link-connecting = Verbindung wird aufgebaut
link-live = verbunden
link-lost = getrennt
store-good = Speicher in Ordnung
store-disk_full = Speicher voll
store-failed = Speicher ausgefallen
store-unknown = Speicher: Zustand unbekannt
charter-short = Charter { $short }
charter-in_force = Charter in Kraft
charter-reload_refused = Neue Charter abgelehnt
charter-unknown = Charter: Zustand unbekannt
refused-short = Abgewiesen { $count }
refused-none = Nichts abgewiesen
language-switch = English
language-switch-label = English (Sprache wechseln)
theme-switch = Helle oder dunkle Darstellung
help = Hilfe
fullscreen = Vollbild
speed-label = Vorführung, Zeit × { $speed }

## Meldungen über die ganze Breite
banner-lost = Keine Verbindung zum Server
banner-lost-detail = Es werden keine aktuellen Werte angezeigt. Patienten am Bett überwachen. Die Verbindung wird laufend neu versucht.
banner-lost-since = seit { $time }
banner-connecting = Verbindung zum Server wird aufgebaut …
banner-disk_full = Speicher voll
banner-disk_full-detail = Werte werden live angezeigt, aber nicht mehr aufgezeichnet. Geräte halten sie zurück, solange sie können.
banner-failed = Speicher ausgefallen
banner-failed-detail = Werte werden live angezeigt, aber nicht aufgezeichnet.
banner-store-unknown = Zustand des Speichers unbekannt
banner-store-unknown-detail = Es ist nicht sicher, ob aufgezeichnet wird.
banner-reload_refused = Neue Charter abgelehnt
banner-reload_refused-detail = Die neueste Fassung ist fehlerhaft. Die bisherige Charter gilt unverändert weiter.
banner-misunderstood = Seite und Server passen nicht zusammen
banner-misunderstood-detail = { $count ->
    [one] Eine Nachricht des Servers wurde nicht verstanden. Bitte die Seite neu laden.
   *[other] { $count } Nachrichten des Servers wurden nicht verstanden. Bitte die Seite neu laden.
}

## Station
ward-label = Betten der Station { $ward }
ward-empty = Auf dieser Station ist noch kein Bett angelegt.
bed-title = Bett { $label }
bed-open = Bett { $label } groß anzeigen
bed-empty = Bett frei
bed-empty-detail = Kein Patient zugeordnet
bed-no-devices = Kein Gerät zugeordnet
bed-unbound = Kein Patient zugeordnet
bed-dead = Kein Gerät verbunden
bed-link = Nicht verbunden
bed-waiting = Wartet auf Messwerte
waves-label = Kurven: { $list }
curve-silent = Kein Signal
curve-sensor-off = Sensor ab
curve-suspect = Signal fraglich
source-online = Gerät verbunden
source-silent = Gerät stumm
source-offline = Gerät getrennt
source-revoked = Gerät gesperrt
source-invited = nicht angemeldet
source-unknown = Gerätezustand unbekannt
test-signal = Testsignal

device-kind-monitor = Monitor
device-kind-infusion_pump = Pumpe
device-kind-movement_sensor = Bewegung
device-kind-other = Gerät
device-online = verbunden
device-silent = stumm
device-offline = getrennt
device-revoked = gesperrt
device-invited = eingeladen
device-unknown = unbekannt
device-online-detail = verbunden und in Betrieb
device-silent-detail = verbunden, sendet aber nichts
device-offline-detail = keine Verbindung
device-revoked-detail = Zertifikat widerrufen, wird nicht zugelassen
device-invited-detail = eingeladen, noch nicht angemeldet
device-unknown-detail = der Server nennt keinen Zustand

## Werte
value-missing = --
value-none = noch kein Wert
value-stale = veraltet
value-link = keine Verbindung
value-unusable = kein Wert
value-suspect = fraglich
age-now = jetzt
age-seconds = { $n } s
age-minutes = { $n } min
age-hours = { $h } h { $m } min
age-days = { $n ->
    [one] 1 Tag
   *[other] { $n } Tage
}
age-ago = vor { $time }
last-value = zuletzt { $value }, vor { $time }
note-sensor-off = Sensor ab
note-invalid = ungültig
note-calibrating = Kalibrierung
note-questionable = fraglich
note-unknown = unbekannter Hinweis
note-clock-suspect = Uhr unsicher
note-late = nachgeliefert
note-test = Testsignal
in-bed-yes = ja
in-bed-no = nein

parameter-hr = Herzfrequenz
parameter-pr = Pulsfrequenz
parameter-spo2 = Sauerstoffsättigung
parameter-abp = arterieller Druck, systolisch / diastolisch (Mittel)
parameter-bp = Blutdruck, systolisch / diastolisch (Mittel)
parameter-nibp = Manschettendruck, systolisch / diastolisch (Mittel)
# Kurznamen wie auf deutschen Monitoren; „RR“ hieße hier Blutdruck.
label-hr = HF
label-pr = Puls
label-spo2 = SpO₂
label-rr = AF
label-cvp = ZVD
label-pi = PI
label-tcore = T Kern
label-rate = Rate
label-remain = Rest
label-vtbi = VTBI
label-timeleft = Restzeit
label-move = Bewegung
label-inbed = Im Bett

summary-value = { $label } { $value } { $unit }
summary-suspect = { $label } { $value } { $unit }, fraglich
summary-missing = { $label } kein aktueller Wert
summary-device = { $kind } { $state }

## Bett groß
detail-waves = Kurven
detail-numbers = Messwerte
detail-devices = Geräte
detail-device = Gerät
detail-model = Modell
detail-state = Zustand
detail-heard = Letzte Nachricht
detail-never = nie
detail-none = Für dieses Bett sind keine Messwerte angelegt.
detail-life-supporting = lebenserhaltend
detail-gone = Dieses Bett gibt es auf der Station nicht mehr.

## Abgewiesenes
refused-title = Was abgewiesen wurde
refused-intro = Seit dem Start des Servers. Was die Charter nicht erlaubt oder was nicht zu einem bekannten Gerät passt, wird abgewiesen und gezählt.
refused-reason = Grund
refused-count = Anzahl
refusal-no_certificate = Verbindung ohne Zertifikat
refusal-wrong_ca = Zertifikat einer fremden Zertifizierungsstelle
refusal-expired = Abgelaufenes Zertifikat
refusal-revoked = Gesperrtes Gerät oder widerrufenes Zertifikat
refusal-certificate = Zertifikat passt nicht
refusal-handshake = Verschlüsselte Verbindung kam nicht zustande
refusal-slow = Verbindungsaufbau dauerte zu lange
refusal-too_many_connections = Zu viele Verbindungen
refusal-unknown_device = Gerät ist nicht angemeldet
refusal-undeclared_model = Gerätemodell, das in der Charter nicht vorkommt
refusal-client_id = Gerätename passt nicht zum Zertifikat
refusal-password = Anmeldung mit Passwort; Passwörter gibt es hier nicht
refusal-authentication = Unbekanntes Anmeldeverfahren
refusal-will = Nachricht für den Verbindungsabbruch hinterlegt; nicht vorgesehen
refusal-version = Falsche MQTT-Version
refusal-protocol = Verstoß gegen das Protokoll
refusal-malformed = Unlesbares Datenpaket
refusal-packet_size = Datenpaket war zu groß
refusal-receive_maximum = Zu viele unbestätigte Nachrichten
refusal-qos2 = Zustellart, die es hier nicht gibt (QoS 2)
refusal-retain = Aufbewahrte Nachricht; nicht vorgesehen
refusal-topic_alias = Kurzname für ein Thema; nicht vorgesehen
refusal-topic = Nachricht unter dem Thema eines anderen Geräts
refusal-topic_name = Thema, das es nicht gibt
refusal-subscription = Wollte mehr lesen als die eigenen Befehle
refusal-wildcard = Wollte Themen mit Platzhalter lesen
refusal-shared = Wollte Themen mit anderen teilen
refusal-subscription_identifier = Kennung für ein Abonnement; nicht vorgesehen
refusal-undeclared_code = Messwert, den die Charter für dieses Gerätemodell nicht vorsieht
refusal-kind = Kurve statt Zahl oder umgekehrt, anders als die Charter vorsieht
refusal-rate_messages = Mehr Nachrichten je Sekunde als erlaubt
refusal-rate_values = Mehr Messwerte je Sekunde als erlaubt
refusal-value = Messwert genauer als erlaubt oder nicht darstellbar
refusal-unit = Einheit fehlt oder passt nicht
refusal-unbound = Gerät war zur Messzeit keinem Patienten zugeordnet
refusal-clock = Messzeit war unglaubwürdig
refusal-payload = Inhalt war nicht lesbar oder zu groß
refusal-other_device = Messwert im Namen eines anderen Geräts
refusal-disk_full = Speicher voll; das Gerät versucht es erneut
refusal-store_failed = Speicher ausgefallen; das Gerät versucht es erneut
refusal-store_behind = Speicher kommt nicht nach; das Gerät versucht es erneut
refusal-no_key = Für den Patienten gibt es keinen Schlüssel mehr
refusal-taken_over = Abgelöst durch eine neuere Verbindung desselben Geräts
refusal-keep_alive = Gerät meldete sich nicht mehr

## Hilfe
help-title = Tasten
help-arrows = von Bett zu Bett
help-enter = Bett groß anzeigen
help-escape = schließen
help-language = Deutsch / Englisch
help-fullscreen = Vollbild
help-theme = hell / dunkel
help-help = diese Hilfe
help-looks = Was die Zeichen bedeuten
help-looks-current = aktueller Wert
help-looks-suspect = Wert ist da, aber das Gerät zweifelt daran
help-looks-stale = veraltet: älter als das Doppelte seiner Periode; durchgestrichen der letzte Wert mit Alter
help-looks-none = noch nie ein Wert
help-looks-hatch = Kurve oder Bett ohne Verbindung
key-arrows = Pfeiltasten

## Charter
charter-title = Charter
charter-intro = Was diese Station mit wessen Daten tun darf. Was hier nicht steht, geschieht nicht.
charter-fingerprint = Fingerabdruck

## Ansagen für Vorleseprogramme
announce-bed = Bett { $label }: { $what }

## Rahmen
menu = Menü
nav-label = Seiten
nav-group-ward = Am Bett
nav-group-own = Meine Daten
nav-group-devices = Technik
nav-group-patients = Patientenrechte
nav-group-oversight = Aufsicht
nav-group-house = Allgemein
nav-home = Zur Startseite
nav-unknown = Diese Seite gibt es nicht
nav-unknown-detail = Vielleicht ist der Link veraltet.
nav-not-yours = Diese Seite gehört nicht zu Ihren Aufgaben
nav-not-yours-detail = Was Sie sehen dürfen, folgt aus Ihrer Rolle. Wenn etwas fehlt, hilft, wer bei Ihnen die Rollen vergibt.
session-ends-at = Sitzung bis { $time } Uhr
session-ends-in = { $minutes ->
    [one] Ihre Sitzung endet in 1 Minute
   *[other] Ihre Sitzung endet in { $minutes } Minuten
}
session-ends-detail = Danach ist eine neue Anmeldung nötig. Nicht Gesendetes geht verloren.
role-rests = Ihre Rolle „{ $role }“ { $why }.
role-rests-detail = Bis dahin öffnet sie nichts. Wenden Sie sich an die Stelle, die hier Personen und Rollen pflegt.
session-renew = Neu anmelden
session-lock = Sperren
session-switch = Person wechseln
session-sign-out = Abmelden
lock-title = Gesperrt
lock-title-person = Gesperrt: { $name }
lock-how = Zum Weiterarbeiten mit dem eigenen Schlüssel entsperren, oder die Person wechseln.
lock-ward = Die Werte laufen weiter. Namen und alles Weitere sind verdeckt.
lock-unlock = Entsperren
lock-cancelled = Das Entsperren wurde abgebrochen.
lock-unsupported = Dieser Browser kann keine Passkeys. Bitte die Person wechseln und neu anmelden.
banner-ledger = Protokoll nicht verfügbar
banner-ledger-detail = Gespeicherte Daten bleiben geschlossen, bis Zugriffe wieder aufgezeichnet werden. Die Überwachung läuft weiter, der Notfallzugriff auch.

## Notfallzugriff
emergency-title = Notfallzugriff
emergency-running = Notfallzugriff läuft
emergency-running-bed = Notfallzugriff läuft: Bett { $bed }
emergency-left = noch { $time }
emergency-detail = Jeder Zugriff wird protokolliert und von einer zweiten Person geprüft.
emergency-open = Patient öffnen
emergency-end = Beenden
emergency-ended = Der Notfallzugriff ist beendet.
emergency-bed = Notfallzugriff: Bett { $bed }
emergency-text = Der gewählte Grund öffnet diesen einen Patienten sofort und für begrenzte Zeit. Die Datenschutzbeauftragte wird benachrichtigt, eine zweite Person prüft nach.
emergency-reason = Grund
emergency-any = Notfall
emergency-words = In eigenen Worten
emergency-words-hint = Kann auch leer bleiben, wenn es eilt.
nav-waiting = { $count ->
    [one] eine wartet
   *[other] { $count } warten
  }
lock-link = Diese Anmeldung kam mit einem Einmal-Link. Ohne eigenen Passkey geht es nur mit einem neuen Link weiter.
