/* The thread that looks. */
#include "client/slotctl/top/source.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct source {
	struct eye eye;                 /* the thread's */

	pthread_mutex_t lock;           /* of what follows */
	pthread_cond_t asked;
	bool is_asked;
	int64_t delay_ms;
	char *group;                    /* owned; NULL: no details are wanted */
	struct picture *newest;         /* owned; NULL: it has been taken */
	int event;                      /* eventfd: there is one */
};

/* With the lock held.  Until it is time for the next look. */
static void
wait_until(struct source *source, int64_t at_ms)
{
	struct timespec at = {at_ms / 1000, at_ms % 1000 * 1000000};

	while (!source->is_asked)
		if (pthread_cond_timedwait(&source->asked, &source->lock, &at) == ETIMEDOUT)
			break;
	source->is_asked = false;
}

static void *
look_on(void *arg)
{
	struct source *source = arg;
	struct picture *picture;
	int64_t start;
	char *group;

	pthread_mutex_lock(&source->lock);
	for (;;) {
		start = ctl_now_ms();
		group = source->group != NULL ? strdup(source->group) : NULL;
		pthread_mutex_unlock(&source->lock);
		picture = picture_take(&source->eye, group);
		free(group);
		pthread_mutex_lock(&source->lock);
		if (picture != NULL) {
			picture_free(source->newest);
			source->newest = picture;
			eventfd_write(source->event, 1);
		}
		wait_until(source, start + source->delay_ms);
	}
	return NULL;
}

struct source *
source_open(const struct ctl *c, int64_t delay_ms)
{
	struct source *source = calloc(1, sizeof *source);
	pthread_condattr_t attr;
	pthread_t thread;
	int error;

	if (source == NULL)
		return NULL;
	source->eye.c = c;
	source->delay_ms = delay_ms;
	source->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (source->event < 0) {
		free(source);
		return NULL;
	}
	pthread_mutex_init(&source->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&source->asked, &attr);
	pthread_condattr_destroy(&attr);
	error = pthread_create(&thread, NULL, look_on, source);
	if (error == 0) {
		pthread_detach(thread);
		return source;
	}
	close(source->event);
	free(source);
	errno = error;
	return NULL;
}

int
source_fd(const struct source *source)
{
	return source->event;
}

struct picture *
source_take(struct source *source)
{
	struct picture *picture;
	eventfd_t n;

	pthread_mutex_lock(&source->lock);
	eventfd_read(source->event, &n);
	picture = source->newest;
	source->newest = NULL;
	pthread_mutex_unlock(&source->lock);
	return picture;
}

void
source_ask(struct source *source, const char *group, int64_t delay_ms)
{
	pthread_mutex_lock(&source->lock);
	free(source->group);
	source->group = group != NULL ? strdup(group) : NULL;
	source->delay_ms = delay_ms;
	source->is_asked = true;
	pthread_cond_signal(&source->asked);
	pthread_mutex_unlock(&source->lock);
}
