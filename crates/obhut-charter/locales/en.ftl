# What `obhut charter explain` and `obhut charter diff` say. Numbers and texts of the charter come as finished arguments.

title = What the charter “{ $name }” allows
fingerprint = Version (SHA-256): { $fingerprint }
promise = What does not stand here is not allowed: it is refused, counted and shown.
enforced = This version of the program itself enforces what devices may send, how often, how exactly, with which binding, how long values stay, and who sees whose data for what: roles, relations, purposes, consents, projects. Where the section alarms stands, it watches the beds by these limits, delays, pauses and escalations, and by nothing else. Network, interfaces and gates are declared and checked, but not yet enforced by the program.
disclaimer = Distributed information system, not to be relied on as primary alarm; not a certified medical device, not legal advice.

heading-controller = Who is responsible
controller = { $name }. The law is { $regime }.
authority = Supervisory authority for complaints: { $name }.
contact = { $role }: { $name }, { $email }
contact-phone = { $role }: { $name }, { $email }, { $phone }
contact-dpo = Data protection
contact-security = Information security
contact-device-safety = Medical-device safety
ward = The charter holds for { $name }, { $n ->
    [0] without beds.
    [one] one bed ({ $first }).
   *[other] { $count } beds ({ $first } to { $last }).
}
regime-gdpr = the General Data Protection Regulation (GDPR) with the German BDSG
regime-kdg = the data-protection law of the Catholic dioceses in Germany (KDG)
regime-dsg-ekd = the data-protection law of the Protestant Church in Germany (DSG-EKD)

heading-purposes = What for, and by which right
purpose-basis = Lawful by: { $list }.
purpose-exception = Health data are permitted by: { $list }.
purpose-no-health = No health data are processed for it.
purpose-law = Laws behind it: { $list }.
purpose-secrecy = Secrecy: { $source }.
purpose-consent = Only with the patient's consent; without it nothing happens.
purpose-no-consent = It needs no consent.
purpose-raw = Raw waveforms are kept for it at most: { $period }.
purpose-no-raw = Raw waveforms are not kept for it.
ground = { $gist } ({ $cite })

heading-data = Which data, why, how often, how exactly, how long
data-for = For: { $purpose }
data-why = Why: { $why }
data-how = At most { $rate }, to { $resolution }.
data-period = The next value is due after: { $period }.
data-kept = Kept: { $period } { $start }, then deleted ({ $class }).
data-patient = Only with a bound patient; refused otherwise.
data-no-patient = Without a bound patient shown live only and never stored.
none-data = None. No values are processed.

heading-roles = Who sees them in the house, and who may do what
role-may = May: { $list }.
role-may-nothing = May do nothing.
role-relation-ward = Whose: patients on a ward the role was given for.
role-relation-case = Whose: patients for whom the person is registered as responsible.
role-relation-own = Whose: only one's own.
role-relation-ticket = Whose: only devices an open ticket names; no patients.
role-relation-none = Whose: no patients.
role-purposes = What for: { $list }.
role-purposes-none = For no purpose.
role-data = Sees values of: { $list }.
role-data-all = Sees values of all data named above.
role-data-none = Sees no values.
role-training = Only with valid training: { $text }; to be repeated { $n ->
    [one] every month.
   *[other] every { $count } months.
}
role-no-training = No training demanded.
role-external = Works for: { $recipient }.
none-roles = Nobody. No roles are declared.
heading-access = How long access lasts, and what stays apart
access-after-discharge = After discharge those who treated still reach the patient for: { $period }. Then only in an emergency.
access-session = One stays signed in at most: { $period }. Untouched, the screen locks after: { $idle }.
access-break-glass = An emergency access is for one patient, needs a reason and lasts at most: { $period }. Someone else reviews it within: { $review }.
access-reasons = Reasons: { $list }.
access-reasons-none = There are no reasons, and so no emergency access.
access-apart = Nobody is { $one } and { $other } at once.
access-console = Whoever works on the machine itself acts as { $role }.
access-console-none = The command line on the machine may do nothing.

heading-consent = What patients are asked
consent-purpose = What for: { $purpose }.
consent-valid = Counts for: { $period }, until withdrawn; after that it means no.
consent-text = Wording: “{ $text }”
consent-hash = SHA-256: { $hash }
none-consent = Nothing. What needs a consent does not happen.

heading-projects = What may be given out under pseudonyms
project-purpose = What for: { $purpose }.
project-data = Holds: { $list }.
project-data-all = Holds all data named above.
project-data-none = Holds nothing.
project-k = Only if at least { $k } patients look alike; only until { $expiry }.
project-recipient = Goes to: { $recipient }.
project-house = Stays in the house.
none-projects = Nothing.

heading-notices = What patients are told
notice-line = { $id }, version { $version }: “{ $text }”
none-notices = Nothing is laid down.

heading-recipients = Who outside the house gets anything
recipient-purpose = What for: { $purpose }.
recipient-data = Gets: { $list }.
recipient-data-all = Gets all data named above.
recipient-data-none = Gets no values.
recipient-contract = { $kind }: { $reference }, until { $expiry }.
recipient-pledge = Pledged to secrecy: { $reference }, until { $expiry }.
recipient-guarantee = Third country, permitted by: { $guarantee }.
none-recipients = Nobody.
contract-processor = Processor (Art. 28 GDPR)
contract-joint-controller = Joint controller (Art. 26 GDPR)
contract-controller = Controller of its own

heading-interfaces = Interfaces
interface-line = { $kind }, { $direction }: { $text }.
interface-assessment = Assessed: { $reference }; signed by { $by } on { $on }; valid until { $expiry }.
interface-data = Concerns: { $list }.
interface-data-all = Concerns all data named above.
interface-data-none = Concerns no values.
interface-recipient = The other end is the recipient { $recipient }.
none-interfaces = None.
kind-fhir = FHIR
kind-hl7 = HL7 version 2
kind-sdc = SDC
direction-in = data come in
direction-out = data go out
direction-both = data go both ways

heading-models = What devices may send
model-title = { $name } by { $maker } ({ $id }), { $kind }
model-sends = May send: { $list }.
model-sends-nothing = May send nothing.
model-slower = { $name } ({ $id }), here only { $rate }
model-limits = At most { $messages } messages a second of at most { $bytes } bytes each.
model-firmware-staged = New firmware: signed and in stages, with a way back.
model-firmware-manufacturer = New firmware: only by the maker's technician at the device.
model-firmware-never = The firmware does not change.
model-firmware-none = Nothing is declared about changing its firmware; it is not allowed.
model-firmware-minimum = Oldest firmware admitted: { $version }.
model-firmware-in-use = Also while a patient is bound.
model-firmware-not-in-use = Never while a patient is bound.
model-attestation-required = No connection without evidence that it is genuine.
model-attestation-preferred = Evidence that it is genuine is asked for; its absence is shown.
model-attestation-none = Evidence that it is genuine is not asked for.
model-life = Life-supporting: never cut off from the network without a human.
none-models = None. No device may send.
device-monitor = patient monitor
device-infusion-pump = infusion pump
device-movement-sensor = movement sensor
device-pulse-oximeter = pulse oximeter
device-thermometer = thermometer
device-blood-pressure = blood-pressure monitor
device-ventilator = ventilator
device-gateway = device gateway
device-test-equipment = test equipment, never at a patient

heading-retention = What else is kept, and how long
retention-line = { $covers }: { $period } { $start }. Reason: { $basis }.
retention-data = Values of class { $class }: { $period } { $start }. Reason: { $basis }.
none-retention = Nothing.
start-measurement = from measurement
start-creation = from creation
start-end-of-stay = from the end of the stay
start-end-of-treatment = from the end of treatment
start-end-of-consent = from withdrawal or expiry of consent
start-decommissioning = from decommissioning
start-supersession = from replacement by something newer
start-closing = from the closing of the case
start-departure = from departure
covers-access-log = access log
covers-security-log = security log
covers-treatment-record = treatment record
covers-binding = bindings of device, bed and patient
covers-consent = consents and withdrawals
covers-accountability = accountability (incidents, assessments, former versions)
covers-device-telemetry = technical device data
covers-device-file = device file
covers-backup = backups
covers-identity = names, birth dates, record numbers
covers-request = requests of patients
covers-break-glass = emergency accesses and their reviews
covers-people = register of people and roles
covers-ticket = tickets for other firms
covers-hold = legal holds
covers-erasure-certificate = erasure certificates
covers-disclosure = sets given to projects and looks behind pseudonyms

heading-network = Permitted connections in the network
flow-line = { $from } → { $to }, { $protocol } port { $port }. Purpose: { $purpose }. Owner: { $owner }. Until { $expiry }.
none-network = None.

heading-alarms = Alarm limits a bed starts with
alarm-line = { $name } ({ $id }), priority { $priority }: { $limits }{ $delay }{ $latching }.
alarm-below = below { $limit }
alarm-above = above { $limit }
alarm-delay = , after { $seconds } s
alarm-latching = , stays until acknowledged
alarm-falls = falls by more than { $limit } within { $over }
alarm-rises = rises by more than { $limit } within { $over }
alarm-signal-delay = , signal { $seconds } s later
alarm-hysteresis = , over only { $limit } inside
alarm-settable = ; may be set from { $from } to { $to } at the bed
heading-alarm-rules = How alarms are signalled, paused and passed on
none-alarm-rules = Not declared: this ward has no alarms.
alarm-pauses = Audio pause at most { $audio }, alarm pause at most { $alarm }; an audio pause is ended by { $break }. Sound off without an end: { $off }. New values at most every { $update }.
break-more-urgent = a new alarm more urgent than all before it
break-any = any new alarm
alarm-technical = Equipment: { $list }.
alarm-finding = Detectors: { $list }.
alarm-combinations = Several values at once: { $list }.
alarm-combined = { $id }: { $count } of ({ $parts }): { $signal }
alarm-escalation = Who is called, in order: { $list }.
alarm-responsible = whoever is responsible for the bed
alarm-always = Must not be missing from admission on: { $list }.
alarm-score = Early-warning score { $score }, at least every { $every }.
alarm-nothing = nothing
part-lead-off = sensor off
part-no-signal = watched value missing
part-suspect-data = value doubtful
part-device-lost = device gone
part-link-lost = link to the bed gone
part-low-battery = battery low
part-clock-off = device clock off
part-standby-values = values in standby
part-unanswered = nobody answers
part-gateway-lost = gateway gone
part-server-lost = server gone
part-store-lost = storage gone
part-ledger-lost = ledger gone
part-display-lost = display gone
part-asystole = asystole
part-ventricular-fibrillation = ventricular fibrillation
part-ventricular-tachycardia = ventricular tachycardia
part-extreme-bradycardia = extreme bradycardia
part-extreme-tachycardia = extreme tachycardia
part-apnoea = apnoea
part-bed-exit = bed exit
part-fall = fall
part-repositioning-due = patient to be turned
part-infusion-near-end = infusion near its end
part-infusion-ended = infusion ended
none-alarms = None. The ward sets limits at the bed.
priority-high = high
priority-medium = medium
priority-low = low

heading-gates = What must be shown before the next step
gate-kpi = { $text }: { $target } (over { $over }).
gate-at-least = at least { $value }
gate-at-most = at most { $value }
gate-evidence = Papers: { $list }.
gate-approvers = Signed by: { $list }.
none-gates = No gates are declared.
stage-pilot = pilot
stage-rollout = roll-out
approver-dpo = data protection
approver-security-officer = information security
approver-device-safety-officer = medical-device safety
approver-medical-lead = medical lead
approver-nursing-lead = nursing lead
approver-management = management

permission-live-view = see live values
permission-history-view = see stored values
permission-identity-view = see who the patient is
permission-bind = bind a patient to a bed
permission-alarm-acknowledge = acknowledge alarms
permission-alarm-limits = set alarm limits
permission-export = take values out
permission-break-glass = emergency access (break-glass)
permission-break-glass-review = review emergency access
permission-device-view = see devices and their state
permission-device-manage = enrol and revoke devices
permission-device-maintain = maintain devices
permission-ledger-view = read the ledger
permission-evidence-view = read evidence
permission-charter-manage = put another charter in force
permission-request-manage = handle requests of patients
permission-erase = erase a patient
permission-incident-manage = run incidents and exercises
permission-people-manage = invite people, give and take roles
permission-consent-manage = take and withdraw consents
permission-own-view = see own data, consents and accesses
permission-research-export = take a project's pseudonymised set
permission-crosswalk = look behind a pseudonym, with a second person
permission-system-view = see the state of the system
permission-ticket-manage = open and close tickets for other firms
permission-hold-manage = set and release legal holds
permission-retention-manage = run the deletion job
permission-backup-manage = make, check and restore backups
permission-key-manage = turn over keys

rate-hertz = { $n ->
    [one] one value a second
   *[other] { $count } values a second
}
rate-second = { $n ->
    [one] one value a second
   *[other] { $count } values a second
}
rate-minute = { $n ->
    [one] one value a minute
   *[other] { $count } values a minute
}
rate-hour = { $n ->
    [one] one value an hour
   *[other] { $count } values an hour
}
rate-day = { $n ->
    [one] one value a day
   *[other] { $count } values a day
}
period-second = { $n ->
    [one] one second
   *[other] { $count } seconds
}
period-minute = { $n ->
    [one] one minute
   *[other] { $count } minutes
}
period-hour = { $n ->
    [one] one hour
   *[other] { $count } hours
}
period-day = { $n ->
    [one] one day
   *[other] { $count } days
}
period-week = { $n ->
    [one] one week
   *[other] { $count } weeks
}
period-year = { $n ->
    [one] one year
   *[other] { $count } years
}
all = all
none = none
yes = yes
no = no

# ── diff ──
diff-title = What changes from “{ $old }” to “{ $new }”
diff-same = Nothing: both versions allow the same.
diff-count = { $n ->
    [one] One change
   *[other] { $count } changes
}: { $more } allow more, { $less } allow less, { $other } change something else.
concern-patients = For patients
concern-staff = For people who work here
concern-outside = For others outside the house
concern-devices = For devices
concern-network = For the network
concern-house = For the management of the house
effect-more = + allows more
effect-less = − allows less
effect-other = ~ changes
change-added = { $what } is new.
change-removed = { $what } is gone.
change-value = { $what }, { $field }: was { $old }, is now { $new }.
change-set-more = { $what }, { $field }: now also { $list }.
change-set-less = { $what }, { $field }: no longer { $list }.
absent = not declared
thing-charter = The charter
thing-controller = The controller
thing-ward = The ward
thing-bed = Bed “{ $id }”
thing-purpose = Purpose “{ $id }”
thing-data = Data “{ $id }”
thing-device_model = Device model “{ $id }”
thing-zone = Zone “{ $id }”
thing-flow = Flow “{ $id }”
thing-role = Role “{ $id }”
thing-retention = Retention class “{ $id }”
thing-recipient = Recipient “{ $id }”
thing-interface = Interface “{ $id }”
thing-alarm = Alarm limit “{ $id }”
thing-alarms = How alarms are signalled
thing-gate = Gate “{ $id }”
thing-kpi = Figure “{ $id }”
thing-access = Access
thing-consent_form = Consent form “{ $id }”
thing-project = Project “{ $id }”
thing-notice = Notice “{ $id }”
field-name = name
field-regime = law
field-authority = supervisory authority
field-dpo = data protection
field-security_officer = information security
field-device_safety_officer = medical-device safety
field-label = label
field-text = wording
field-basis = legal basis
field-exception = exception for health data
field-law = laws
field-secrecy = secrecy
field-health_data = health data
field-needs_consent = consent needed
field-raw_max = raw waveforms at most
field-code = code
field-purpose = purpose
field-necessity = reason
field-rate_max = how often at most
field-period = period
field-due = next value due after
field-resolution = finest step known
field-retention = kept
field-needs_patient = binding needed
field-maker = maker
field-kind = kind
field-sends = may send
field-sends-rate = how often
field-messages_per_second_max = messages a second at most
field-payload_bytes_max = bytes a message at most
field-firmware = firmware
field-attestation = evidence of being genuine
field-life_supporting = life-supporting
field-vlan = VLAN
field-from = from
field-to = to
field-port = port
field-protocol = protocol
field-owner = owner
field-expiry = end
field-permissions = may
field-data = data
field-training = training
field-recipient = recipient
field-start = start of the period
field-covers = covers
field-country = country
field-contract = contract
field-secrecy_pledge = pledge of secrecy
field-guarantee = guarantee for the third country
field-direction = direction
field-assessment = assessment
field-below = lower limit
field-above = upper limit
field-delay = delay
field-latching = stays until acknowledged
field-falls = fall
field-rises = rise
field-hysteresis = hysteresis
field-signal_delay = signal delay
field-settable = may be set
field-audio_pause_max = longest audio pause
field-alarm_pause_max = longest alarm pause
field-audio_pause_broken_by = audio pause ended by
field-audio_off = sound off without an end
field-update_every = new values at most every
field-always = must not be missing
field-score = score
field-score_every = score at least every
field-technical = equipment
field-finding = detectors
field-combined = combinations
field-escalation = who is called
field-stage = step
field-kpis = figures
field-evidence = papers
field-approvers = signed by
field-unit = unit
field-at_least = at least
field-at_most = at most
field-over = over
field-relation = relation
field-purposes = purposes
field-after_discharge = access after discharge
field-session_max = signed in at most
field-idle_lock = locks after
field-break_glass_max = emergency access at most
field-review_within = review within
field-break_glass_reason = reasons for emergency access
field-apart = apart
field-console = role on the machine
field-version = version
field-valid = counts for
field-k_min = patients at least
