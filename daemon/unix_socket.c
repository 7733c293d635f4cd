/* A Unix socket that we listen on: its file, from bind to unlink. */
#include "daemon/unix_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/ids.h"
#include "daemon/log.h"

static gid_t
group_id(const char *group)
{
	uint32_t id;

	if (ids_find(IDS_GROUPS, group, &id) < 0)
		fatalx("socket_group: there is no group %s", group);
	return id;
}

static void
remove_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		if (errno != ENOENT)
			fatal("%s", path);
		return;
	}
	if (!S_ISSOCK(st.st_mode))
		fatalx("%s: in the way, and not a socket", path);
	if (unlink(path) < 0)
		fatal("%s: cannot replace the old socket", path);
	log_info("replaced the socket that was left at %s", path);
}

/* A socket that nobody serves must not stay with its mode of 0: to clients that is a lack of rights,
 * and not a slotd that may come back. */
static _Noreturn void
give_up(const char *path, const char *what)
{
	int error = errno;

	unlink(path);
	errno = error;
	fatal("%s: %s", path, what);
}

/* Nobody can connect before listen(), so mode and group are right from the first moment on; the
 * umask keeps the file itself closed until then. */
int
unix_socket_bind(struct unix_socket *bound, const char *path, const struct config *config,
    int backlog)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	gid_t gid = (gid_t)-1;
	mode_t mask;
	struct stat st;
	int fd, rc;

	if (strlen(path) >= sizeof addr.sun_path)
		fatalx("%s: longer than the %zu bytes of a socket's path", path,
		    sizeof addr.sun_path - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (config->socket_group[0] != '\0')
		gid = group_id(config->socket_group);
	remove_stale(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fatal("socket");
	mask = umask(0777);
	rc = bind(fd, (const struct sockaddr *)&addr, sizeof addr);
	umask(mask);
	if (rc < 0)
		fatal("%s: bind", path);
	if (gid != (gid_t)-1 && lchown(path, (uid_t)-1, gid) < 0)
		give_up(path, "socket_group");
	if (chmod(path, (mode_t)config->socket_mode) < 0)
		give_up(path, "socket_mode");
	if (lstat(path, &st) < 0)
		give_up(path, "stat");
	if (listen(fd, backlog) < 0)
		give_up(path, "listen");
	*bound = (struct unix_socket){strdup(path), st.st_dev, st.st_ino};
	if (bound->path == NULL)
		fatal("%s", path);
	return fd;
}

void
unix_socket_unlink(struct unix_socket *bound)
{
	struct stat st;

	if (bound->path != NULL && lstat(bound->path, &st) == 0) {
		if (st.st_dev != bound->dev || st.st_ino != bound->ino)
			log_warnx("%s is another's by now, and stays", bound->path);
		else if (unlink(bound->path) < 0)
			log_warn("%s: unlink", bound->path);
	}
	free(bound->path);
	bound->path = NULL;
}
