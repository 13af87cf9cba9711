/*
 * What happens to an association, in lines to the test:
 *
 *   up INBOUND OUTBOUND, lost, closed, refused, restarted
 *   shutdown                           the peer will send no more
 *   path ADDRESS up|down|confirmed|added|removed|primary
 *   remote-error CAUSE
 *   given-up STREAM LENGTH             a message that was not delivered in time
 *   partial-abort STREAM               the rest of a message that began to arrive will not
 *   key NUMBER new|none|free
 *   reset in|out|denied|failed STREAM...    streams that begin again; none means all
 *   reset-tsn done|denied|failed LOCAL REMOTE
 *   streams done|denied|failed INBOUND OUTBOUND
 */
#include "stack.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sha256.h"

#ifdef PEER_USRSCTP
#define sn_authkey_event sn_auth_event
#endif

const uint16_t event_types[] = {
    SCTP_ASSOC_CHANGE,       SCTP_PEER_ADDR_CHANGE,     SCTP_SHUTDOWN_EVENT,
    SCTP_REMOTE_ERROR,       SCTP_SEND_FAILED_EVENT,    SCTP_PARTIAL_DELIVERY_EVENT,
    SCTP_STREAM_RESET_EVENT, SCTP_ASSOC_RESET_EVENT,    SCTP_STREAM_CHANGE_EVENT,
    SCTP_AUTHENTICATION_EVENT,
};
const size_t event_type_count = sizeof event_types / sizeof event_types[0];

/* Parts of messages that are not complete, by order and stream: with interleaving there may be one
 * of each. */
static struct assembly {
    uint8_t *bytes;
    size_t length;
} assemblies[2][MAX_STREAMS];

void on_part(const uint8_t *bytes, size_t length, const struct sctp_rcvinfo *info, bool last) {
    bool unordered = (info->rcv_flags & SCTP_UNORDERED) != 0;
    struct assembly *to = &assemblies[unordered][info->rcv_sid % MAX_STREAMS];
    char hex[65];
    to->bytes = realloc(to->bytes, to->length + length + 1);
    if (to->bytes == NULL)
        abort();
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
    if (!last)
        return;
    sha256_hex(to->bytes, to->length, hex);
    say("message %u %c %zu %s %u", info->rcv_sid, unordered ? 'u' : 'o', to->length, hex,
        ntohl(info->rcv_ppid));
    to->length = 0;
}

static void on_partial_delivery(const struct sctp_pdapi_event *event) {
    size_t stream = event->pdapi_stream % MAX_STREAMS;
    assemblies[0][stream].length = assemblies[1][stream].length = 0;
    say("partial-abort %u", event->pdapi_stream);
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
    static const struct {
        uint32_t state;
        const char *name;
    } states[] = {
        {SCTP_ADDR_AVAILABLE, "up"},        {SCTP_ADDR_UNREACHABLE, "down"},
        {SCTP_ADDR_CONFIRMED, "confirmed"}, {SCTP_ADDR_ADDED, "added"},
        {SCTP_ADDR_REMOVED, "removed"},     {SCTP_ADDR_MADE_PRIM, "primary"},
    };
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (states[i].state == (uint32_t)change->spc_state)
            say("path %s %s", address_of(&change->spc_aaddr), states[i].name);
}

static void on_key(const struct sctp_authkey_event *event) {
    const char *what = "none";
    if (event->auth_indication == SCTP_AUTH_NEW_KEY)
        what = "new";
    else if (event->auth_indication == SCTP_AUTH_FREE_KEY)
        what = "free";
    say("key %u %s", event->auth_keynumber, what);
}

static void on_stream_reset(const struct sctp_stream_reset_event *event, size_t length) {
    char text[256] = "out";
    size_t count = (length - sizeof *event) / sizeof event->strreset_stream_list[0];
    if (event->strreset_flags & SCTP_STREAM_RESET_DENIED)
        strcpy(text, "denied");
    else if (event->strreset_flags & SCTP_STREAM_RESET_FAILED)
        strcpy(text, "failed");
    else if (event->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN)
        strcpy(text, "in");
    for (size_t i = 0; i < count && strlen(text) < sizeof text - 8; i++)
        sprintf(text + strlen(text), " %u", event->strreset_stream_list[i]);
    say("reset %s", text);
}

/* Denied and failed are the same bits in both events. */
static const char *outcome(uint16_t flags) {
    if (flags & SCTP_ASSOC_RESET_DENIED)
        return "denied";
    return flags & SCTP_ASSOC_RESET_FAILED ? "failed" : "done";
}

static void on_association_reset(const struct sctp_assoc_reset_event *event) {
    say("reset-tsn %s %u %u", outcome(event->assocreset_flags), event->assocreset_local_tsn,
        event->assocreset_remote_tsn);
}

static void on_stream_change(const struct sctp_stream_change_event *event) {
    say("streams %s %u %u", outcome(event->strchange_flags), event->strchange_instrms,
        event->strchange_outstrms);
}

static void on_send_failed(const struct sctp_send_failed_event *event, size_t length) {
    say("given-up %u %zu", event->ssfe_info.snd_sid, length - sizeof *event);
}

void on_notification(const void *bytes, size_t length) {
    const union sctp_notification *notification = bytes;
    switch (notification->sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
        return on_association_change(&notification->sn_assoc_change);
    case SCTP_PEER_ADDR_CHANGE:
        return on_path_change(&notification->sn_paddr_change);
    case SCTP_SHUTDOWN_EVENT:
        return say("shutdown");
    case SCTP_REMOTE_ERROR:
        return say("remote-error %u", ntohs(notification->sn_remote_error.sre_error));
    case SCTP_SEND_FAILED_EVENT:
        return on_send_failed(&notification->sn_send_failed_event, length);
    case SCTP_PARTIAL_DELIVERY_EVENT:
        return on_partial_delivery(&notification->sn_pdapi_event);
    case SCTP_AUTHENTICATION_EVENT:
        return on_key(&notification->sn_authkey_event);
    case SCTP_STREAM_RESET_EVENT:
        return on_stream_reset(&notification->sn_strreset_event, length);
    case SCTP_ASSOC_RESET_EVENT:
        return on_association_reset(&notification->sn_assocreset_event);
    case SCTP_STREAM_CHANGE_EVENT:
        return on_stream_change(&notification->sn_strchange_event);
    }
}
