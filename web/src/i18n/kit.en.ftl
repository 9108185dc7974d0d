# Words that all pages need.

## Parts
kit-again = Try again
kit-busy = One moment …
kit-cancel = Cancel
kit-choose = Please choose
kit-copied = Copied to the clipboard.
kit-copy = Copy
kit-copy-failed = Copying did not work. Please mark the text.
kit-late = overdue for { $time }
kit-left = { $time } left
kit-newer = Newer
kit-older = Older
kit-none = –
kit-once = This is shown only once. Give it only to the person it is meant for.
kit-optional = optional
kit-pager = Pages

## What went wrong
problem-refused = This is not open to you.
problem-signed_out = You are no longer signed in.
problem-locked = This workstation is locked.
problem-ledger_unavailable = Accesses cannot be recorded at the moment. Stored data therefore stay closed; monitoring goes on.
problem-unreachable = The server cannot be reached.
problem-timeout = The server did not answer in time.
problem-not_understood = The server’s answer was not understood. Please reload the page.
problem-not_found = This does not exist, or no longer.
problem-too_large = This is too large.
problem-too_many = Too many attempts. Please wait a moment.
problem-internal = The server could not do this. Please tell the IT department.
problem-conflict = This contradicts what is already there.
problem-status-400 = It does not work like this.
problem-status-409 = This contradicts what is already there.
problem-status-422 = It does not work like this.
problem-status-5xx = The server could not do this.
problem-other = This did not work ({ $code }).
