/* SHA-256 (FIPS 180-4) of a buffer in one call. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

/* Writes 64 hexadecimal digits and a terminating zero. */
void sha256_hex(const uint8_t *data, size_t length, char hex[65]);

#endif
