// cflags: -lm
// A walk through the standard library, the same with glibc and musl. Expects the file "poem" and the same on stdin.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <regex.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static int compare_words(const void *one, const void *other) {
    return strcmp(*(char *const *)one, *(char *const *)other);
}

// Words of stdin, sorted, each with its count.
static void count_words(void) {
    char *words[100], *line = NULL;
    size_t count = 0, room = 0;
    while (getline(&line, &room, stdin) > 0) {
        char *rest = line;
        for (char *word; (word = strsep(&rest, " \t\n")) != NULL;)
            if (*word != 0 && count < 100)
                words[count++] = strdup(word);
    }
    free(line);
    qsort(words, count, sizeof *words, compare_words);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && strcmp(words[i], words[end]) == 0; end++)
            continue;
        if (end - i > 1)
            printf("%zu %s\n", end - i, words[i]);
    }
    printf("%zu words\n", count);
    while (count > 0)
        free(words[--count]);
}

static void print_numbers(void) {
    printf("%d %u %lx %o %+d %05d|%-8s|%8s|\n", -42, 42u, 0xdeadbeefUL, 511, 7, 42, "left", "right");
    printf("%.17g %e %g %a %.3f\n", 0.1, 12345.678, 1e100, 1.5, 2.0 / 3);
    printf("%.15f %.15f %.15f\n", sqrt(2), floor(-1.5), fmod(10, 3));
    printf("%ld %lu %g\n", strtol("-0x7f", NULL, 0), strtoul("777", NULL, 8), strtod("1.25e-3", NULL));
    errno = 0;
    printf("%d %d\n", strtol("99999999999999999999", NULL, 10) == LONG_MAX, errno == ERANGE);
}

static void use_files(void) {
    FILE *file = fopen("made", "w+");
    fprintf(file, "first line\nsecond line\n");
    fseek(file, 6, SEEK_SET);
    fputs("LINE", file);
    rewind(file);
    char text[100];
    while (fgets(text, sizeof text, file) != NULL)
        printf("read back: %s", text);
    printf("at %ld, eof %d\n", ftell(file), feof(file) != 0);
    fclose(file);
    mkdir("folder", 0755);
    printf("rename %d\n", rename("made", "folder/moved"));
    printf("open %s\n", fopen("no/such", "r") == NULL && errno == ENOENT ? "ENOENT" : "?");
    struct dirent **entries;
    int count = scandir(".", &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        printf("entry %s\n", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    glob_t found;
    printf("glob %d", glob("f*/*", 0, NULL, &found));
    printf(" %s\n", found.gl_pathv[0]);
    globfree(&found);
    struct iovec parts[] = {{"vectors ", 8}, {"of parts\n", 9}};
    fflush(stdout);
    printf("writev %zd\n", writev(1, parts, 2));
}

static void map_a_file(const char *name) {
    FILE *file = fopen(name, "r");
    struct stat status;
    fstat(fileno(file), &status);
    char *start = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    unsigned hash = 2166136261u;
    for (off_t i = 0; i < status.st_size; i++)
        hash = (hash ^ (unsigned char)start[i]) * 16777619u;
    printf("%s: %ld bytes, %08x\n", name, (long)status.st_size, hash);
    munmap(start, (size_t)status.st_size);
    fclose(file);
}

// Blocks of many sizes, freed out of order, keep what they hold.
static void allocate(void) {
    enum { BLOCKS = 500 };
    unsigned char *blocks[BLOCKS];
    size_t wrong = 0, total = 0;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t size = i * i % 5000 + (i % 100 == 0 ? 300000 : 16);
            blocks[i] = malloc(size);
            memset(blocks[i], (int)i, size);
            total += size;
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t k = i * 77 % BLOCKS;
            wrong += blocks[k][0] != (unsigned char)k || blocks[k][15] != (unsigned char)k;
            blocks[k] = realloc(blocks[k], 40);
            wrong += blocks[k][15] != (unsigned char)k;
        }
        for (size_t i = 0; i < BLOCKS; i++)
            free(blocks[BLOCKS - 1 - i]);
    }
    printf("%zu bytes allocated, %zu wrong\n", total, wrong);
}

static void match_patterns(void) {
    regex_t pattern;
    regmatch_t groups[3];
    regcomp(&pattern, "([a-z]+)@([a-z.]+)", REG_EXTENDED);
    const char *text = "mail someone@example.org now";
    int result = regexec(&pattern, text, 3, groups, 0);
    printf("regex %d: %.*s at %.*s\n", result, (int)(groups[1].rm_eo - groups[1].rm_so), text + groups[1].rm_so,
           (int)(groups[2].rm_eo - groups[2].rm_so), text + groups[2].rm_so);
    regfree(&pattern);
    printf("fnmatch %d %d\n", fnmatch("*.[ch]", "tour.c", 0), fnmatch("*.[ch]", "tour.rs", 0) != 0);
}

static void tell_time(void) {
    time_t moment = 1000000000;
    struct tm broken_down;
    char text[100];
    gmtime_r(&moment, &broken_down);
    strftime(text, sizeof text, "%A %Y-%m-%d %H:%M:%S day %j", &broken_down);
    printf("%s, back %d\n", text, timegm(&broken_down) == moment);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    long passed = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    printf("slept long enough: %d\n", passed >= 2000000);
}

static void jump(void) {
    static jmp_buf place;
    volatile int count = 0;
    if (setjmp(place) < 5) {
        count++;
        longjmp(place, count);
    }
    printf("jumped %d times\n", count);
}

static void print_wide(void) {
    setlocale(LC_ALL, "C.UTF-8");
    wchar_t wide[20];
    size_t length = mbstowcs(wide, "gr\xc3\xbc\xc3\x9f", 20);
    printf("%zu wide characters, third %x\n", length, (unsigned)wide[2]);
}

static void leave(void) {
    puts("left through atexit");
}

int main(int argc, char **argv) {
    atexit(leave);
    for (int i = 1; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    printf("home %s, nothing %s\n", getenv("HOME"), getenv("NO_SUCH_VARIABLE") ? "set" : "unset");
    count_words();
    print_numbers();
    use_files();
    map_a_file("poem");
    allocate();
    match_patterns();
    tell_time();
    jump();
    print_wide();
    fprintf(stderr, "to stderr, %s\n", strerror(EINVAL));
    return 17;
}
