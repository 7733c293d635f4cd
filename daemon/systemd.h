/* What slotd and its service manager say to each other: a socket handed over, and readiness told.
 * Both are stable interfaces of environment variables and plain sockets; no library is needed. */
#ifndef SYSTEMD_H
#define SYSTEMD_H

#include <stdbool.h>

/* The listening socket that we were started with (socket activation), close-on-exec and
 * non-blocking, or -1 if there is none.  Fatal if what we got is not one listening AF_UNIX stream
 * socket with a path.  *path (to be freed, by the caller) is where it is bound.  The environment's
 * variables are unset.  Such a socket must not be unlinked, chmod-ed or shut down. */
int systemd_listen_fd(char **path);

/* Is there somebody to tell? */
bool systemd_is_manager(void);

/* One datagram to the manager, such as "READY=1" or "STOPPING=1\nSTATUS=waiting for clients".
 * Does nothing where there is no manager.  Waits for a moment if it is busy: for what should not be
 * lost. */
void systemd_notify(const char *state);

/* The configuration is read again; READY=1 says that this is over. */
void systemd_notify_reloading(void);

/* The same, for what can be told later: false, and nothing in the log, if it cannot be taken now. */
bool systemd_try_notify(const char *state);

#endif
