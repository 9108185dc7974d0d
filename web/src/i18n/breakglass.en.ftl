breakglass-title = Judge emergency accesses
breakglass-intro = Every emergency access is judged by a second person. It waits here from the moment it was opened.
breakglass-none = Nothing waits.
breakglass-late = { $count ->
    [one] One access was not judged in time.
   *[other] { $count } accesses were not judged in time.
  }
breakglass-person = Person
breakglass-patient = Patient
breakglass-reason = Reason
breakglass-opened = From, to
breakglass-due = Due
breakglass-escalated = not judged in time
breakglass-mine = your own; somebody else judges it
breakglass-running = still running
breakglass-judge = Judge
breakglass-judge-text = Your judgement stays, with your name. It is in the ledger, too.
breakglass-judge-save = Save judgement
breakglass-verdict = Judgement
breakglass-verdict-justified = it was an emergency
breakglass-verdict-not-justified = it was not an emergency
breakglass-why = Why
breakglass-why-hint = Needed if it was not an emergency.
