/*
 * What the peers on different stacks have in common: the dialogue with the test. A peer does what
 * standard input tells it, one command a line, and reports on standard output. It has one
 * association at a time.
 *
 *   start UDP_PORT                     where the stack takes encapsulated packets
 *   option NAME VALUE                  a variable of the stack
 *   bind PORT ADDRESS...               an SCTP port on local IPv4 addresses
 *   listen                             accepts one association
 *   connect UDP_PORT PORT ADDRESS...   opens an association
 *   send STREAM u|o LENGTH COUNT SEED  sends messages with the contents `fill` makes
 *   pause, resume                      stops and goes on reading messages
 *   shutdown                           ends the association when everything is acknowledged
 *   abort REASON                       ends it at once
 *
 * A command is answered with `ok` or `failed WHY`. Other lines come when something happens:
 *
 *   message STREAM u|o LENGTH SHA256   a message has arrived
 *   up INBOUND OUTBOUND, lost, closed, refused, restarted
 *   shutdown                           the peer will send no more
 *   path ADDRESS up|down|confirmed|other
 *   remote-error CAUSE
 *   end                                nothing more can be received
 *
 * The stack's header, with the names of RFC 6458, is included before this one.
 */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sha256.h"

enum { MAX_ADDRESSES = 4, MAX_MESSAGE = 1 << 20, STREAMS = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resumed = PTHREAD_COND_INITIALIZER;
static bool paused;

static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

static void answer(int result) {
    if (result < 0)
        say("failed %s", strerror(errno));
    else
        say("ok");
}

static const char *address_of(const void *address) {
    static __thread char text[INET_ADDRSTRLEN];
    const struct sockaddr_in *in = address;
    return inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
}

/* The rest of the line, as addresses with `port`. */
static int read_addresses(uint16_t port, struct sockaddr_in *into) {
    int count = 0;
    char *word;
    while (count < MAX_ADDRESSES && (word = strtok(NULL, " ")) != NULL) {
        memset(&into[count], 0, sizeof into[count]);
        into[count].sin_family = AF_INET;
        into[count].sin_port = htons(port);
        if (inet_pton(AF_INET, word, &into[count].sin_addr) == 1)
            count++;
    }
    return count;
}

static long number(void) {
    const char *word = strtok(NULL, " ");
    return word == NULL ? 0 : atol(word);
}

/* The contents of the test's messages: a linear congruential generator's highest byte. */
static void fill(uint8_t *message, size_t length, uint64_t seed) {
    for (size_t i = 0; i < length; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        message[i] = (uint8_t)(seed >> 56);
    }
}

static void on_association_change(const struct sctp_assoc_change *change) {
    switch (change->sac_state) {
    case SCTP_COMM_UP:
        say("up %u %u", change->sac_inbound_streams, change->sac_outbound_streams);
        break;
    case SCTP_COMM_LOST:
        say("lost");
        break;
    case SCTP_RESTART:
        say("restarted");
        break;
    case SCTP_SHUTDOWN_COMP:
        say("closed");
        break;
    default:
        say("refused");
    }
}

static void on_path_change(const struct sctp_paddr_change *change) {
    const char *what = "other";
    if (change->spc_state == SCTP_ADDR_AVAILABLE)
        what = "up";
    else if (change->spc_state == SCTP_ADDR_UNREACHABLE)
        what = "down";
    else if (change->spc_state == SCTP_ADDR_CONFIRMED)
        what = "confirmed";
    say("path %s %s", address_of(&change->spc_aaddr), what);
}

static void on_notification(const union sctp_notification *notification) {
    switch (notification->sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
        on_association_change(&notification->sn_assoc_change);
        break;
    case SCTP_PEER_ADDR_CHANGE:
        on_path_change(&notification->sn_paddr_change);
        break;
    case SCTP_SHUTDOWN_EVENT:
        say("shutdown");
        break;
    case SCTP_REMOTE_ERROR:
        say("remote-error %u", ntohs(notification->sn_remote_error.sre_error));
        break;
    }
}

static void on_message(const uint8_t *message, size_t length, const struct sctp_rcvinfo *info) {
    char hex[65];
    sha256_hex(message, length, hex);
    say("message %u %c %zu %s", info->rcv_sid, info->rcv_flags & SCTP_UNORDERED ? 'u' : 'o', length,
        hex);
}

static void wait_while_paused(void) {
    pthread_mutex_lock(&lock);
    while (paused)
        pthread_cond_wait(&resumed, &lock);
    pthread_mutex_unlock(&lock);
}

static int start_thread(void *(*work)(void *)) {
    pthread_t thread;
    errno = pthread_create(&thread, NULL, work, NULL);
    return errno == 0 ? pthread_detach(thread) : -1;
}

static int set_paused(bool to) {
    pthread_mutex_lock(&lock);
    paused = to;
    pthread_cond_broadcast(&resumed);
    pthread_mutex_unlock(&lock);
    return 0;
}

/* Takes commands until there are no more. */
static void converse(int (*obey)(const char *command)) {
    static char line[256];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\r\n")] = 0;
        char *command = strtok(line, " ");
        if (command != NULL)
            answer(obey(command));
    }
}

#endif
