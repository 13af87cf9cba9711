/* What the two stacks, which both speak RFC 6458, call differently. */
#ifndef STACK_H
#define STACK_H

#include <sys/types.h>

#ifdef PEER_USRSCTP
#include <usrsctp.h>
#else
#include <netinet/in.h>
#include <sys/socket.h>
#include <linux/sctp.h>
#endif

#include "dialogue.h"

/* Of the association, or before there is one, of the socket. */
int set_socket_option(int name, const void *value, size_t length);
int get_socket_option(int name, void *value, size_t *length);

/* bindx on the socket of the association. */
int change_addresses(const struct addresses *addresses, bool add);

/* How a message is sent. */
struct sending {
    struct sctp_sndinfo info;
    struct sctp_prinfo reliability;
};

int send_message(const void *message, size_t length, const struct sending *how);

/* features.c */
extern const struct command features[];

/* events.c: the notifications to subscribe to, and what to do with what was received. */
extern const uint16_t event_types[];
extern const size_t event_type_count;
/* A notification that begins at `bytes`, aligned for anything. */
void on_notification(const void *bytes, size_t length);
/* A part of a message; `last` ends it. */
void on_part(const uint8_t *bytes, size_t length, const struct sctp_rcvinfo *info, bool last);

#endif
