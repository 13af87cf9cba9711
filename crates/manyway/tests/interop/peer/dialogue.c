#include "dialogue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resumed = PTHREAD_COND_INITIALIZER;
static bool paused;

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

const char *word(void) {
    return strtok(NULL, " ");
}

const char *rest_of_line(void) {
    return strtok(NULL, "\n");
}

long number(void) {
    const char *text = word();
    return text == NULL ? 0 : strtol(text, NULL, 0);
}

static bool is_ipv6(const void *address) {
    return ((const struct sockaddr *)address)->sa_family == AF_INET6;
}

size_t size_of_address(const void *address) {
    return is_ipv6(address) ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

const char *address_of(const void *address) {
    static __thread char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in *four = address;
    const struct sockaddr_in6 *six = address;
    if (is_ipv6(address))
        return inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text);
    return inet_ntop(AF_INET, &four->sin_addr, text, sizeof text);
}

static bool read_address(const char *text, uint16_t port, struct addresses *into) {
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const void *address = NULL;
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        address = &four;
    else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
        address = &six;
    if (address == NULL)
        return false;
    memcpy(into->bytes + into->length, address, size_of_address(address));
    into->length += size_of_address(address);
    into->count++;
    if (is_ipv6(address))
        into->family = AF_INET6;
    return true;
}

int read_addresses(uint16_t port, struct addresses *into) {
    const char *text;
    memset(into, 0, sizeof *into);
    into->family = AF_INET;
    while ((text = word()) != NULL)
        if (into->count == MAX_ADDRESSES || !read_address(text, port, into)) {
            errno = EINVAL;
            return -1;
        }
    return 0;
}

void fill(uint8_t *message, size_t length, uint64_t seed) {
    for (size_t i = 0; i < length; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        message[i] = (uint8_t)(seed >> 56);
    }
}

void wait_while_paused(void) {
    pthread_mutex_lock(&lock);
    while (paused)
        pthread_cond_wait(&resumed, &lock);
    pthread_mutex_unlock(&lock);
}

int start_thread(void *(*work)(void *)) {
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

static int pause_reading(void) {
    return set_paused(true);
}

static int resume_reading(void) {
    return set_paused(false);
}

const struct command pausing[] = {
    {"pause", pause_reading},
    {"resume", resume_reading},
    {NULL, NULL},
};

static int obey(const char *name, const struct command *const tables[], size_t count) {
    for (size_t i = 0; i < count; i++)
        for (const struct command *command = tables[i]; command->name != NULL; command++)
            if (strcmp(command->name, name) == 0)
                return command->obey();
    errno = ENOSYS;
    return -1;
}

void converse(const struct command *const tables[], size_t count) {
    static char line[1024];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\r\n")] = 0;
        const char *name = strtok(line, " ");
        if (name == NULL)
            continue;
        if (obey(name, tables, count) < 0)
            say("failed %s", strerror(errno));
        else
            say("ok");
    }
}
