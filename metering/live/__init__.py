"""The stream of new readings to browsers.

One watcher in each web process notices what the listener committed, however many browsers listen (`commits`, `news`),
asks who of them may still see it (`rights` of accounts), and tells them (`watcher`, `subscriber`). What goes over the
wire is in `events`; who holds the connection open is `line`.
"""
