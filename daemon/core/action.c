/* What a step leaves to be done: its actions, and the deadlines of what is still to come. */
#include "daemon/core/arbiter_state.h"

#include <string.h>

struct arb_action *
arb_act(struct arb *arb, enum arb_action_type type)
{
	struct arb_action *act;

	ALLOC_ROOM(arb->actions, arb->n_actions, arb->cap_actions, 1);
	act = &arb->actions[arb->n_actions++];
	*act = (struct arb_action){.type = type, .cell = ARB_NO_CELL};
	return act;
}

struct arb_action *
arb_answer(struct arb *arb, uint64_t client, uint64_t request, enum wire_code code)
{
	struct arb_action *act = arb_act(arb, ARB_ANSWER);

	act->client = client;
	act->request = request;
	act->code = code;
	return act;
}

const char *
arb_copy_string(struct arb *arb, const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(arena_take(&arb->arena, size), s, size);
}

const uint32_t *
arb_copy_slots(struct arb *arb, const uint32_t *slots, uint32_t n)
{
	return memcpy(arena_take(&arb->arena, n * sizeof *slots), slots, n * sizeof *slots);
}

bool
arb_next_action(struct arb *arb, struct arb_action *action)
{
	if (arb->next_action == arb->n_actions)
		return false;
	*action = arb->actions[arb->next_action++];
	return true;
}

bool
timer_before(const struct heap_node *a, const struct heap_node *b)
{
	return HEAP_OF(a, struct timer, node)->at < HEAP_OF(b, struct timer, node)->at;
}

void
timer_set(struct arb *arb, struct timer *t, nsec at)
{
	t->at = at;
	if (at == NSEC_NEVER) {
		if (heap_has(&t->node))
			heap_remove(&arb->timers, &t->node);
	} else if (heap_has(&t->node)) {
		heap_moved(&arb->timers, &t->node);
	} else {
		heap_add(&arb->timers, &t->node);
	}
}

nsec
arb_deadline(const struct arb *arb)
{
	const struct heap_node *node = heap_first(&arb->timers);

	return node != NULL ? HEAP_OF(node, struct timer, node)->at : NSEC_NEVER;
}
