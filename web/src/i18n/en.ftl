# English.

app-name = Obhut
dis-label = Distributed information system, not to be relied on as primary alarm
skip-to-page = Skip to the content
close = Close
loading = Loading …

## Enter
enter-title = Sign in
enter-checking = Checking the one-time link …
enter-no-link = This page is opened with the one-time link that the server prints on the console when it starts.
enter-refused = This link has been used or has expired. Each link works once and only for a short time.
enter-unreachable = The server cannot be reached.
enter-server = The server could not handle the sign-in.
enter-ended = Your session has ended.
enter-how = Start with the link printed on the console: it begins with “https://” and contains “#enter=”. The server prints a new one each time it starts.
enter-retry = Try again

## Header
clock-label = Ward time
link-connecting = connecting
link-live = connected
link-lost = disconnected
store-good = Store good
store-disk_full = Store full
store-failed = Store failed
store-unknown = Store: state unknown
charter-short = Charter { $short }
charter-in_force = Charter in force
charter-reload_refused = New charter refused
charter-unknown = Charter: state unknown
refused-short = Refused { $count }
refused-none = Nothing refused
language-switch = Deutsch
language-switch-label = Deutsch (switch language)
theme-switch = Light or dark
help = Help
fullscreen = Full screen
speed-label = Demonstration, time × { $speed }

## Banners
banner-lost = No connection to the server
banner-lost-detail = No current values are shown. Watch patients at the bedside. The page keeps trying to reconnect.
banner-lost-since = for { $time }
banner-connecting = Connecting to the server …
banner-disk_full = Store full
banner-disk_full-detail = Values are shown live but no longer recorded. Devices hold them back for as long as they can.
banner-failed = Store failed
banner-failed-detail = Values are shown live but not recorded.
banner-store-unknown = State of the store unknown
banner-store-unknown-detail = It is not certain that values are being recorded.
banner-reload_refused = New charter refused
banner-reload_refused-detail = The newest version has errors. The previous charter stays in force unchanged.
banner-misunderstood = Page and server do not match
banner-misunderstood-detail = { $count ->
    [one] One message from the server was not understood. Please reload the page.
   *[other] { $count } messages from the server were not understood. Please reload the page.
}

## Ward
ward-label = Beds of { $ward }
ward-empty = No bed has been set up on this ward yet.
bed-title = Bed { $label }
bed-open = Show bed { $label } large
bed-empty = Bed free
bed-empty-detail = No patient bound
bed-no-devices = No device assigned
bed-unbound = No patient bound
bed-dead = No device connected
bed-link = Not connected
bed-waiting = Waiting for values
waves-label = Waveforms: { $list }
curve-silent = No signal
curve-sensor-off = Sensor off
curve-suspect = Signal questionable
source-online = Device connected
source-silent = Device silent
source-offline = Device offline
source-revoked = Device revoked
source-invited = Not enrolled yet
source-unknown = Device state unknown
test-signal = Test signal

device-kind-monitor = Monitor
device-kind-infusion_pump = Pump
device-kind-movement_sensor = Movement
device-kind-other = Device
device-online = connected
device-silent = silent
device-offline = offline
device-revoked = revoked
device-invited = invited
device-unknown = unknown
device-online-detail = connected and working
device-silent-detail = connected but sends nothing
device-offline-detail = no connection
device-revoked-detail = certificate revoked, not admitted
device-invited-detail = invited, not enrolled yet
device-unknown-detail = the server states no condition

## Values
value-missing = --
value-none = no value yet
value-stale = stale
value-link = no connection
value-unusable = no value
value-suspect = questionable
age-now = now
age-seconds = { $n } s
age-minutes = { $n } min
age-hours = { $h } h { $m } min
age-days = { $n ->
    [one] 1 day
   *[other] { $n } days
}
age-ago = { $time } ago
last-value = last { $value }, { $time } ago
note-sensor-off = sensor off
note-invalid = invalid
note-calibrating = calibrating
note-questionable = questionable
note-unknown = unknown remark
note-clock-suspect = clock uncertain
note-late = delivered late
note-test = test signal
in-bed-yes = yes
in-bed-no = no

parameter-hr = heart rate
parameter-pr = pulse rate
parameter-spo2 = oxygen saturation
parameter-abp = arterial pressure, systolic / diastolic (mean)
parameter-bp = blood pressure, systolic / diastolic (mean)
parameter-nibp = cuff pressure, systolic / diastolic (mean)
label-hr = HR
label-pr = PR
label-spo2 = SpO₂
label-rr = RR
label-cvp = CVP
label-pi = PI
label-tcore = T core
label-rate = Rate
label-remain = Left
label-vtbi = VTBI
label-timeleft = Time left
label-move = Move
label-inbed = In bed

summary-value = { $label } { $value } { $unit }
summary-suspect = { $label } { $value } { $unit }, questionable
summary-missing = { $label } no current value
summary-device = { $kind } { $state }

## Bed large
detail-waves = Waveforms
detail-numbers = Values
detail-devices = Devices
detail-device = Device
detail-model = Model
detail-state = State
detail-heard = Last message
detail-never = never
detail-none = No values are set up for this bed.
detail-life-supporting = life-supporting
detail-gone = This bed is no longer on the ward.

## Refusals
refused-title = What was refused
refused-intro = Since the server started. Whatever the charter does not allow or does not belong to a known device is refused and counted.
refused-reason = Reason
refused-count = Count
refusal-no_certificate = Connection without a certificate
refusal-wrong_ca = Certificate from another authority
refusal-expired = Expired certificate
refusal-revoked = Revoked device or certificate
refusal-certificate = Certificate does not fit
refusal-handshake = No encrypted connection could be agreed
refusal-slow = Connecting took too long
refusal-too_many_connections = Too many connections
refusal-unknown_device = Device is not enrolled
refusal-undeclared_model = Device model the charter does not know
refusal-client_id = Device name does not match the certificate
refusal-password = Sign-in with a password; there are none here
refusal-authentication = Unknown way to sign in
refusal-will = Left a message for its own disconnection; not provided
refusal-version = Wrong MQTT version
refusal-protocol = Breach of the protocol
refusal-malformed = Unreadable packet
refusal-packet_size = Packet was too large
refusal-receive_maximum = Too many unacknowledged messages
refusal-qos2 = Kind of delivery that does not exist here (QoS 2)
refusal-retain = Retained message; not provided
refusal-topic_alias = Short name for a topic; not provided
refusal-topic = Message on another device’s topic
refusal-topic_name = Topic that does not exist
refusal-subscription = Wanted to read more than its own commands
refusal-wildcard = Wanted to read topics by wildcard
refusal-shared = Wanted to share topics with others
refusal-subscription_identifier = Identifier of a subscription; not provided
refusal-undeclared_code = Value the charter does not provide for this device model
refusal-kind = Waveform instead of number or the reverse, unlike the charter
refusal-rate_messages = More messages per second than allowed
refusal-rate_values = More values per second than allowed
refusal-value = Value finer than allowed or not representable
refusal-unit = Unit is missing or does not fit
refusal-unbound = Device was bound to no patient when it measured
refusal-clock = Time of measurement not credible
refusal-payload = Content unreadable or too large
refusal-other_device = Value in another device’s name
refusal-disk_full = Store full; the device tries again
refusal-store_failed = Store failed; the device tries again
refusal-store_behind = Store cannot keep up; the device tries again
refusal-no_key = The patient has no key any more
refusal-taken_over = Replaced by a newer connection of the same device
refusal-keep_alive = Device stopped answering

## Help
help-title = Keys
help-arrows = from bed to bed
help-enter = show the bed large
help-escape = close
help-language = German / English
help-fullscreen = full screen
help-theme = light / dark
help-help = this help
help-looks = What the signs mean
help-looks-current = current value
help-looks-suspect = there is a value, but the device doubts it
help-looks-stale = stale: older than twice its period; struck through the last value with its age
help-looks-none = never a value yet
help-looks-hatch = waveform or bed without connection
key-arrows = Arrow keys

## Charter
charter-title = Charter
charter-intro = What this ward may do with whose data. What does not stand here does not happen.
charter-fingerprint = Fingerprint

## Announcements
announce-bed = Bed { $label }: { $what }

## Frame
menu = Menu
nav-label = Pages
nav-group-ward = At the bedside
nav-group-own = My data
nav-group-devices = Equipment
nav-group-patients = Patients’ rights
nav-group-oversight = Oversight
nav-group-house = General
nav-home = To the start page
nav-unknown = There is no such page
nav-unknown-detail = Perhaps the link is out of date.
nav-not-yours = This page is not among your duties
nav-not-yours-detail = What you may see follows from your role. If something is missing, ask whoever gives out roles.
session-ends-at = Session until { $time }
session-ends-in = { $minutes ->
    [one] Your session ends in 1 minute
   *[other] Your session ends in { $minutes } minutes
}
session-ends-detail = After that you need to sign in again. What has not been sent is lost.
role-rests = Your role “{ $role }” { $why }.
role-rests-detail = Until then it opens nothing. Ask whoever looks after people and roles here.
session-renew = Sign in again
session-lock = Lock
session-switch = Switch person
session-sign-out = Sign out
lock-title = Locked
lock-title-person = Locked: { $name }
lock-how = Unlock with your own key to go on, or switch the person.
lock-ward = Values go on. Names and everything else are covered.
lock-unlock = Unlock
lock-cancelled = Unlocking was cancelled.
lock-unsupported = This browser has no passkeys. Please switch the person and sign in again.
banner-ledger = Ledger not available
banner-ledger-detail = Stored data stay closed until accesses are recorded again. Monitoring goes on, and so does emergency access.

## Emergency access
emergency-title = Emergency access
emergency-running = Emergency access running
emergency-running-bed = Emergency access running: bed { $bed }
emergency-left = { $time } left
emergency-detail = Every access is recorded and reviewed by a second person.
emergency-open = Open patient
emergency-end = End
emergency-ended = The emergency access has ended.
emergency-bed = Emergency access: bed { $bed }
emergency-text = The reason you choose opens this one patient at once and for a limited time. The data-protection officer is notified, and a second person reviews it.
emergency-reason = Reason
emergency-any = Emergency
emergency-words = In your own words
emergency-words-hint = May stay empty when there is no time.
nav-waiting = { $count ->
    [one] one waits
   *[other] { $count } wait
  }
lock-link = This session began with a one-time link. Without a passkey of your own it takes a new link to go on.
