/* Copies of what is under way, each one block of memory. */
#ifndef MESSAGE_H
#define MESSAGE_H

struct xch_push;
struct xch_reply;
struct xch_request;

/* The caller's, for free(). */
struct xch_request *request_copy(const struct xch_request *q);
struct xch_reply *reply_copy(const struct xch_reply *r);
struct xch_push *push_copy(const struct xch_push *p);

#endif
