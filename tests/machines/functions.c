/*
 * The functions in assembly that the library brings for itself, called by the names that
 * tests/machines/check gives them: `own_` and the name. Each is compared with C's own, for many
 * arguments. Ends with status 0 if all agree.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned long check_count, failure_count;

static void check(int holds, const char *what, unsigned long long a, unsigned long long b)
{
    check_count++;
    if (!holds && failure_count++ < 20)
        printf("%s is wrong for %llx, %llx\n", what, a, b);
}

static uint64_t random_word(void)
{
    static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(0x2545f4914f6cdd1d);
}

/* ---- memory ---- */

void *own_memcpy(void *to, const void *from, size_t length);
void *own_memmove(void *to, const void *from, size_t length);
void *own_memset(void *to, int value, size_t length);
int own_memcmp(const void *left, const void *right, size_t length);
int own_bcmp(const void *left, const void *right, size_t length);
size_t own_strlen(const char *text);

#define AREA 96

static void fill(unsigned char *area)
{
    for (size_t at = 0; at < AREA; at++)
        area[at] = (unsigned char)(random_word() >> 32);
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void copies(size_t length, size_t to)
{
    unsigned char one[AREA], two[AREA], want[AREA];

    for (size_t from = 0; from < 24; from++) {
        fill(one);
        memcpy(want, one, AREA);
        memmove(want + to, want + from, length);
        check(own_memmove(one + to, one + from, length) == one + to, "memmove", length, to);
        check(memcmp(one, want, AREA) == 0, "memmove, from and to", from, to);
    }
    fill(one);
    fill(two);
    memcpy(want, one, AREA);
    memcpy(want + to, two + 3, length);
    check(own_memcpy(one + to, two + 3, length) == one + to, "memcpy", length, to);
    check(memcmp(one, want, AREA) == 0, "memcpy, copied", length, to);
    memset(want + to, 0x1a5, length);
    check(own_memset(one + to, 0x1a5, length) == one + to, "memset", length, to);
    check(memcmp(one, want, AREA) == 0, "memset, set", length, to);
}

static void compares(size_t length, size_t from)
{
    unsigned char one[AREA], two[AREA];
    const unsigned char *left = one + from, *right = two + from;

    fill(one);
    memcpy(two, one, AREA);
    check(own_memcmp(left, right, length) == 0, "memcmp of equals", length, from);
    check(own_bcmp(left, right, length) == 0, "bcmp of equals", length, from);
    if (length > 0) {
        one[from + random_word() % length] ^= (unsigned char)(1 + random_word() % 255);
        check(sign(own_memcmp(left, right, length)) == sign(memcmp(left, right, length)),
              "memcmp", length, from);
        check(own_bcmp(left, right, length) != 0, "bcmp", length, from);
    }
#ifndef MICROCONTROLLER
    memset(one, 'x', AREA);
    one[from + length] = 0;
    check(own_strlen((const char *)left) == length, "strlen", length, from);
#endif
}

static void memory(void)
{
    for (size_t length = 0; length < 40; length++)
        for (size_t at = 0; at < 24; at++) {
            copies(length, at);
            compares(length, at);
        }
}

/* ---- arithmetic of 32-bit machines ---- */

#if defined(__i386__)
uint64_t own___udivdi3(uint64_t dividend, uint64_t divisor);
uint64_t own___umoddi3(uint64_t dividend, uint64_t divisor);
int64_t own___divdi3(int64_t dividend, int64_t divisor);
uint64_t own___ashldi3(uint64_t value, int count);
uint64_t own___lshrdi3(uint64_t value, int count);
#define SHIFT_LEFT own___ashldi3
#define SHIFT_RIGHT own___lshrdi3

static void divide(uint64_t n, uint64_t d)
{
    check(own___udivdi3(n, d) == n / d, "udivdi3", n, d);
    check(own___umoddi3(n, d) == n % d, "umoddi3", n, d);
    if ((int64_t)n != INT64_MIN || (int64_t)d != -1)
        check(own___divdi3((int64_t)n, (int64_t)d) == (int64_t)n / (int64_t)d, "divdi3", n, d);
}
#elif defined(__arm__)
uint64_t own___aeabi_llsl(uint64_t value, int count);
uint64_t own___aeabi_llsr(uint64_t value, int count);
uint32_t own___aeabi_uidiv(uint32_t dividend, uint32_t divisor);
#define SHIFT_LEFT own___aeabi_llsl
#define SHIFT_RIGHT own___aeabi_llsr

/* Quotient and remainder come in four registers, which C has no word for. */
#define IN_REGISTERS(function, n, d, quotient, remainder) do { \
        register uint32_t r0 __asm__("r0") = (uint32_t)(n); \
        register uint32_t r1 __asm__("r1") = (uint32_t)((uint64_t)(n) >> 32); \
        register uint32_t r2 __asm__("r2") = (uint32_t)(d); \
        register uint32_t r3 __asm__("r3") = (uint32_t)((uint64_t)(d) >> 32); \
        __asm__ volatile("bl " function : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3) \
                         : : "r12", "lr", "cc", "memory"); \
        (quotient) = (uint64_t)r1 << 32 | r0; \
        (remainder) = (uint64_t)r3 << 32 | r2; \
    } while (0)

static void divide(uint64_t n, uint64_t d)
{
    uint64_t quotient, remainder;

    IN_REGISTERS("own___aeabi_uldivmod", n, d, quotient, remainder);
    check(quotient == n / d && remainder == n % d, "uldivmod", n, d);
    /* There the processor divides 32 bits, and nothing is signed. */
#ifndef MICROCONTROLLER
    uint32_t n32 = (uint32_t)n, d32 = (uint32_t)d;

    if ((int64_t)n != INT64_MIN || (int64_t)d != -1) {
        IN_REGISTERS("own___aeabi_ldivmod", n, d, quotient, remainder);
        check((int64_t)quotient == (int64_t)n / (int64_t)d, "ldivmod", n, d);
        check((int64_t)remainder == (int64_t)n % (int64_t)d, "ldivmod, remainder", n, d);
    }
    if (d32 != 0) {
        IN_REGISTERS("own___aeabi_uidivmod", (uint64_t)d32 << 32 | n32, 0, quotient, remainder);
        check((uint32_t)quotient == n32 / d32, "uidivmod", n32, d32);
        check((uint32_t)(quotient >> 32) == n32 % d32, "uidivmod, remainder", n32, d32);
        check(own___aeabi_uidiv(n32, d32) == n32 / d32, "uidiv", n32, d32);
    }
#endif
}
#endif

#ifdef SHIFT_LEFT
static void arithmetic(void)
{
    static const uint64_t edges[] = {
        1, 2, 3, 10, 1000000000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000001,
        0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001, 0xfffffffffffffffe,
        0xffffffffffffffff,
    };
    size_t count = sizeof edges / sizeof *edges;

    for (size_t n = 0; n < count; n++)
        for (size_t d = 0; d < count; d++) {
            divide(edges[n], edges[d]);
            divide(edges[n] - edges[d], edges[d]);
            divide(0, edges[d]);
        }
    for (int round = 0; round < 200000; round++) {
        uint64_t n = random_word() >> (random_word() & 63);
        uint64_t d = random_word() >> (random_word() & 63);

        divide(n, d == 0 ? 1 : d);
    }
    for (int at = 0; at < 64; at++) {
        uint64_t value = random_word();

        check(SHIFT_LEFT(value, at) == value << at, "shift left", value, (unsigned)at);
        check(SHIFT_RIGHT(value, at) == value >> at, "shift right", value, (unsigned)at);
    }
}
#endif

/* ---- atomics of aarch64 ---- */

#if defined(__aarch64__)
/* The neighbours must stay as they are. */
#define AROUND(type) \
        type where[3] = { (type)random_word(), (type)random_word(), (type)random_word() }; \
        type before = where[1], left = where[0], right = where[2], operand = (type)random_word()
#define UNTOUCHED (where[0] == left && where[2] == right)
#define CHANGE(name, type, size, order, new_value) do { \
        type own___aarch64_##name##size##_##order(type operand, type *at); \
        AROUND(type); \
        type old = own___aarch64_##name##size##_##order(operand, &where[1]); \
        check(old == before && where[1] == (type)(new_value) && UNTOUCHED, \
              #name #size "_" #order, before, operand); \
    } while (0)
#define CAS(type, size, order) do { \
        type own___aarch64_cas##size##_##order(type expected, type wanted, type *at); \
        AROUND(type); \
        type old = own___aarch64_cas##size##_##order(before, operand, &where[1]); \
        check(old == before && where[1] == operand && UNTOUCHED, \
              "cas" #size "_" #order, before, operand); \
        old = own___aarch64_cas##size##_##order((type)(operand + 1), before, &where[1]); \
        check(old == operand && where[1] == operand && UNTOUCHED, \
              "refused cas" #size "_" #order, before, operand); \
    } while (0)
#define OPERATIONS(type, size, order) \
    CHANGE(swp, type, size, order, operand); \
    CHANGE(ldadd, type, size, order, before + operand); \
    CHANGE(ldclr, type, size, order, before & ~operand); \
    CHANGE(ldeor, type, size, order, before ^ operand); \
    CHANGE(ldset, type, size, order, before | operand); \
    CAS(type, size, order)
#define ORDERS(type, size) \
    OPERATIONS(type, size, relax); \
    OPERATIONS(type, size, acq); \
    OPERATIONS(type, size, rel); \
    OPERATIONS(type, size, acq_rel)

static void atomics(void)
{
    for (int round = 0; round < 100; round++) {
        ORDERS(uint8_t, 1);
        ORDERS(uint16_t, 2);
        ORDERS(uint32_t, 4);
        ORDERS(uint64_t, 8);
    }
}
#endif

int main(void)
{
    memory();
#ifdef SHIFT_LEFT
    arithmetic();
#endif
#if defined(__aarch64__)
    atomics();
#endif
    printf("own functions: %lu checks, %lu failed\n", check_count, failure_count);
    return failure_count != 0;
}
