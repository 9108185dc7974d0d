overview-title = Overview
overview-intro = What waits for oversight, as counts. No names, no values.
overview-reviews = emergency accesses to review
overview-requests = open requests
overview-holds = legal holds running
overview-erasures = erasures
overview-tickets = open maintenance tickets
overview-late = { $count ->
    [one] 1 overdue
   *[other] { $count } overdue
}
overview-none = Nothing that is open to you.
overview-searches = questions that wait for a second person
