/*
 * What the peers on different stacks have in common: the dialogue with the test. A peer does what
 * standard input tells it, one command a line, and reports on standard output. It has one
 * association at a time.
 *
 *   start UDP_PORT                     where the stack takes encapsulated packets; 0 means that SCTP
 *                                      goes over IP itself
 *   option NAME VALUE                  a variable of the stack
 *   bind PORT ADDRESS...               an SCTP port on local addresses
 *   listen                             accepts one association
 *   connect UDP_PORT PORT ADDRESS...   opens an association
 *   send STREAM u|o LENGTH COUNT SEED [PPID [ttl|rtx|prio VALUE]]
 *                                      sends messages with the contents `fill` makes
 *   pause, resume                      stops and goes on reading messages
 *   shutdown                           ends the association when everything is acknowledged
 *   abort REASON                       ends it at once
 *
 * features.c has the commands of extensions. A command is answered with `ok` or `failed WHY`; one
 * that asks for something says lines before that. Other lines come when something happens:
 *
 *   message STREAM u|o LENGTH SHA256 PPID   a message has arrived
 *
 * and those of events.c.
 */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { MAX_ADDRESSES = 8, MAX_MESSAGE = 1 << 20, STREAMS = 64, MAX_STREAMS = 1024 };

/* IPv4 and IPv6 addresses one behind the other, as bindx and connectx want them. */
struct addresses {
    uint8_t bytes[MAX_ADDRESSES * sizeof(struct sockaddr_in6)];
    size_t length;
    int count;
    /* AF_INET6 if there is one of that family. */
    int family;
};

struct command {
    const char *name;
    /* Takes its arguments by `word` and `number`; negative when it failed, with errno set. */
    int (*obey)(void);
};

/* Says a line to the test. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The next argument of a command, or NULL. */
const char *word(void);
/* The rest of the command, or NULL. */
const char *rest_of_line(void);
/* The next argument as a number, 0 if there is none. */
long number(void);
/* The remaining arguments as addresses with `port`; negative if one is none. */
int read_addresses(uint16_t port, struct addresses *into);
/* An address in words, valid until the thread asks again. */
const char *address_of(const void *address);
size_t size_of_address(const void *address);

/* The contents of the test's messages: a linear congruential generator's highest byte. */
void fill(uint8_t *message, size_t length, uint64_t seed);

void wait_while_paused(void);
int start_thread(void *(*work)(void *));

/* Takes commands until there are no more. Each table ends with a command without name. */
void converse(const struct command *const tables[], size_t count);

extern const struct command pausing[];

#endif
