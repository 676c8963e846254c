// Checks for the test programs. Include it first: it asks for the GNU interfaces.
//
// Every check prints one line, "ok N expression" or "FAIL file:line expression: why", straight to
// descriptor 1, so that a crash loses nothing and stdout proves what ran. The counters belong to
// one process and are not atomic: check on one thread, and REQUIRE on others.
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The expression is true.
#define CHECK(expr) check_verdict((expr), __FILE__, __LINE__, #expr, "is false")

// As CHECK, but silent unless it fails, which ends the program: for any thread, any number of times.
#define REQUIRE(expr)                                                                              \
    do {                                                                                           \
        if (!(expr)) {                                                                             \
            dprintf(1, "FAIL %s:%d %s: errno %d\n", __FILE__, __LINE__, #expr, errno);             \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

// Two integers or pointers are equal.
#define CHECK_EQ(actual, expected)                                                                 \
    ({                                                                                             \
        long check_a = (long)(actual), check_e = (long)(expected);                                 \
        check_verdict(check_a == check_e, __FILE__, __LINE__, #actual " == " #expected,            \
                      "%ld (%#lx), expected %ld (%#lx)", check_a, check_a, check_e, check_e);      \
    })

// Two strings are equal.
#define CHECK_STR(actual, expected)                                                                \
    ({                                                                                             \
        const char *check_a = (actual), *check_e = (expected);                                     \
        check_verdict(strcmp(check_a, check_e) == 0, __FILE__, __LINE__, #actual " == " #expected, \
                      "\"%s\", expected \"%s\"", check_a, check_e);                                \
    })

// The call does not return -1 (nor MAP_FAILED). The value of the macro is what it returned.
#define CHECK_OK(call)                                                                             \
    ({                                                                                             \
        __auto_type check_r = (call);                                                              \
        int check_errno = errno;                                                                   \
        check_verdict((long)check_r != -1, __FILE__, __LINE__, #call, "%s",                        \
                      check_errno_name(check_errno));                                              \
        check_r;                                                                                   \
    })

// The call returns -1 (or MAP_FAILED) and sets errno to `error`.
#define CHECK_ERR(call, error)                                                                     \
    ({                                                                                             \
        errno = 0;                                                                                 \
        long check_r = (long)(call);                                                               \
        int check_errno = errno;                                                                   \
        check_verdict(check_r == -1 && check_errno == (error), __FILE__, __LINE__,                 \
                      #call " -> " #error, "returned %ld, errno %s", check_r,                      \
                      check_errno_name(check_errno));                                              \
    })

// The statement ends the process by `signal`: the last act of a program. Prints the totals first.
#define CHECK_DEATH(signal, statement)                                                             \
    do {                                                                                           \
        CHECK_DONE();                                                                              \
        NOTE("dies by " #signal ": %s", #statement);                                               \
        statement;                                                                                 \
        check_print("FAIL %s:%d survived\n", __FILE__, __LINE__);                                  \
        _exit(1);                                                                                  \
    } while (0)

// One line of information, which must be the same in every run.
#define NOTE(...)                                                                                  \
    do {                                                                                           \
        check_print("note: ");                                                                     \
        check_print(__VA_ARGS__);                                                                  \
        check_print("\n");                                                                         \
    } while (0)

// The machine cannot do what the program shows: ends it as a success.
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        check_print("skip: %s\n", (reason));                                                       \
        exit(0);                                                                                   \
    } while (0)

// Prints the totals. The value is the exit status: `return CHECK_DONE();`.
#define CHECK_DONE() check_done()

static int check_count;
static int check_failures;

static inline const char *check_errno_name(int error) {
    static const struct {
        int number;
        const char *name;
    } table[] = {
#define CHECK_NAME(error) {error, #error}
        {0, "0"},
        CHECK_NAME(EPERM),        CHECK_NAME(ENOENT),         CHECK_NAME(ESRCH),
        CHECK_NAME(EINTR),        CHECK_NAME(EIO),            CHECK_NAME(ENXIO),
        CHECK_NAME(E2BIG),        CHECK_NAME(ENOEXEC),        CHECK_NAME(EBADF),
        CHECK_NAME(ECHILD),       CHECK_NAME(EAGAIN),         CHECK_NAME(ENOMEM),
        CHECK_NAME(EACCES),       CHECK_NAME(EFAULT),         CHECK_NAME(ENOTBLK),
        CHECK_NAME(EBUSY),        CHECK_NAME(EEXIST),         CHECK_NAME(EXDEV),
        CHECK_NAME(ENODEV),       CHECK_NAME(ENOTDIR),        CHECK_NAME(EISDIR),
        CHECK_NAME(EINVAL),       CHECK_NAME(ENFILE),         CHECK_NAME(EMFILE),
        CHECK_NAME(ENOTTY),       CHECK_NAME(ETXTBSY),        CHECK_NAME(EFBIG),
        CHECK_NAME(ENOSPC),       CHECK_NAME(ESPIPE),         CHECK_NAME(EROFS),
        CHECK_NAME(EMLINK),       CHECK_NAME(EPIPE),          CHECK_NAME(EDOM),
        CHECK_NAME(ERANGE),       CHECK_NAME(EDEADLK),        CHECK_NAME(ENAMETOOLONG),
        CHECK_NAME(ENOLCK),       CHECK_NAME(ENOSYS),         CHECK_NAME(ENOTEMPTY),
        CHECK_NAME(ELOOP),        CHECK_NAME(ENOMSG),         CHECK_NAME(EIDRM),
        CHECK_NAME(ENODATA),      CHECK_NAME(ETIME),          CHECK_NAME(EPROTO),
        CHECK_NAME(EBADMSG),      CHECK_NAME(EOVERFLOW),      CHECK_NAME(EBADFD),
        CHECK_NAME(EILSEQ),       CHECK_NAME(EUSERS),         CHECK_NAME(ENOTSOCK),
        CHECK_NAME(EDESTADDRREQ), CHECK_NAME(EMSGSIZE),       CHECK_NAME(EPROTOTYPE),
        CHECK_NAME(ENOPROTOOPT),  CHECK_NAME(EPROTONOSUPPORT), CHECK_NAME(ESOCKTNOSUPPORT),
        CHECK_NAME(EOPNOTSUPP),   CHECK_NAME(EPFNOSUPPORT),   CHECK_NAME(EAFNOSUPPORT),
        CHECK_NAME(EADDRINUSE),   CHECK_NAME(EADDRNOTAVAIL),  CHECK_NAME(ENETDOWN),
        CHECK_NAME(ENETUNREACH),  CHECK_NAME(ENETRESET),      CHECK_NAME(ECONNABORTED),
        CHECK_NAME(ECONNRESET),   CHECK_NAME(ENOBUFS),        CHECK_NAME(EISCONN),
        CHECK_NAME(ENOTCONN),     CHECK_NAME(ESHUTDOWN),      CHECK_NAME(ETOOMANYREFS),
        CHECK_NAME(ETIMEDOUT),    CHECK_NAME(ECONNREFUSED),   CHECK_NAME(EHOSTDOWN),
        CHECK_NAME(EHOSTUNREACH), CHECK_NAME(EALREADY),       CHECK_NAME(EINPROGRESS),
        CHECK_NAME(ESTALE),       CHECK_NAME(EUCLEAN),        CHECK_NAME(EREMOTEIO),
        CHECK_NAME(EDQUOT),       CHECK_NAME(ENOMEDIUM),      CHECK_NAME(EMEDIUMTYPE),
        CHECK_NAME(ECANCELED),    CHECK_NAME(ENOKEY),         CHECK_NAME(EKEYEXPIRED),
        CHECK_NAME(EKEYREVOKED),  CHECK_NAME(EKEYREJECTED),   CHECK_NAME(EOWNERDEAD),
        CHECK_NAME(ENOTRECOVERABLE),
#undef CHECK_NAME
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].number == error)
            return table[i].name;
    return "E???";
}

__attribute__((format(printf, 1, 0))) static inline void check_vprint(const char *format,
                                                                      va_list arguments) {
    char text[1024];
    int length = vsnprintf(text, sizeof text, format, arguments);
    size_t left = length < (int)sizeof text ? (size_t)length : sizeof text - 1;
    for (const char *next = text; left > 0;) {
        ssize_t written = write(1, next, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            _exit(3);
        next += written;
        left -= (size_t)written;
    }
}

__attribute__((format(printf, 1, 2))) static inline void check_print(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    check_vprint(format, arguments);
    va_end(arguments);
}

static inline int check_done(void) {
    check_print("%d checks, %d failed\n", check_count, check_failures);
    return check_failures != 0;
}

// Counts and prints one check, keeps errno, and returns whether it held.
__attribute__((format(printf, 5, 6))) static inline bool
check_verdict(bool holds, const char *file, int line, const char *expr, const char *why, ...) {
    int saved_errno = errno;
    check_count++;
    if (holds) {
        check_print("ok %d %s\n", check_count, expr);
    } else {
        check_failures++;
        check_print("FAIL %s:%d %s: ", file, line, expr);
        va_list arguments;
        va_start(arguments, why);
        check_vprint(why, arguments);
        va_end(arguments);
        check_print("\n");
    }
    errno = saved_errno;
    return holds;
}

#endif
