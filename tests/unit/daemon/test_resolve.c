/* Names to addresses: from the loop's point of view. */
#include "tests/unit/daemon/suites.h"

#include "daemon/redis/resolve.h"

#include <event2/event.h>
#include <string.h>

struct asker {
	struct resolve resolve;
	struct event_base *base;
	struct asker *forgets;
	int n_answers;
	struct resolved resolved;
};

static void
done(void *arg, const struct resolved *resolved)
{
	struct asker *asker = arg;

	asker->n_answers++;
	asker->resolved = *resolved;
	if (asker->forgets != NULL)
		resolver_forget(&asker->forgets->resolve);
}

static struct asker
asker_make(struct event_base *base)
{
	return (struct asker){.base = base, .resolve = {.done = done}};
}

static void
ask(struct resolver *resolver, struct asker *asker)
{
	asker->resolve.arg = asker;
	ck_assert(resolver_ask(resolver, &asker->resolve));
}

START_TEST(number)
{
	struct event_base *base = event_base_new();
	struct resolver *resolver = resolver_new(base, "127.0.0.7");
	struct asker a = asker_make(base);

	for (int i = 1; i <= 2; i++) {
		ask(resolver, &a);
		ck_assert_int_eq(a.n_answers, i - 1);   /* never from within the question */
		event_base_dispatch(base);
		ck_assert_int_eq(a.n_answers, i);
		ck_assert_int_eq(a.resolved.n, 1);
		ck_assert_str_eq(a.resolved.address[0], "127.0.0.7");
	}
	resolver_free(resolver);
	event_base_free(base);
}
END_TEST

START_TEST(no_such_name)
{
	struct event_base *base = event_base_new();
	struct resolver *resolver = resolver_new(base, "no such name");
	struct asker a = asker_make(base);

	ask(resolver, &a);
	event_base_dispatch(base);
	ck_assert_int_eq(a.resolved.n, 0);
	ck_assert_str_ne(a.resolved.why, "");
	resolver_free(resolver);
	event_base_free(base);
}
END_TEST

/* One answer is everybody's, but not theirs who have lost interest, be it at the last moment. */
START_TEST(shared)
{
	struct event_base *base = event_base_new();
	struct resolver *resolver = resolver_new(base, "::1");
	struct asker a = asker_make(base), b = asker_make(base), c = asker_make(base);

	ask(resolver, &a);
	ask(resolver, &b);
	ask(resolver, &c);
	a.forgets = &b;
	b.forgets = &a;
	resolver_forget(&c.resolve);
	event_base_dispatch(base);
	ck_assert_int_eq(a.n_answers + b.n_answers, 1);
	ck_assert_int_eq(c.n_answers, 0);
	resolver_free(resolver);
	event_base_free(base);
}
END_TEST

START_TEST(left_alone)
{
	struct event_base *base = event_base_new();
	struct resolver *resolver = resolver_new(base, "localhost");
	struct asker a = asker_make(base);

	ask(resolver, &a);
	resolver_forget(&a.resolve);
	resolver_free(resolver);
	event_base_free(base);
	ck_assert_int_eq(a.n_answers, 0);
}
END_TEST

Suite *
resolve_suite(void)
{
	Suite *s = suite_create("resolve");
	TCase *tc = tcase_create("resolve");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, number);
	tcase_add_test(tc, no_such_name);
	tcase_add_test(tc, shared);
	tcase_add_test(tc, left_alone);
	return s;
}
