// stdio(3): buffered output of many lines to stdout and stderr arrives whole and in order.
#include "check.h"

int main(void) {
    CHECK_OK(setvbuf(stdout, NULL, _IOFBF, 8192));
    for (int i = 0; i < 2000; i++)
        if (printf("line %04d of standard output, %08x\n", i, i * 2654435761u) < 0)
            return 3;
    CHECK_EQ(fflush(stdout), 0);
    for (int i = 0; i < 100; i++)
        fprintf(stderr, "line %02d of standard error\n", i);
    char *text = malloc(65536);
    memset(text, '-', 65535);
    for (int i = 63; i < 65536; i += 64)
        text[i] = '\n';
    CHECK_EQ(fwrite(text, 1, 65536, stdout), 65536);
    CHECK_EQ(fflush(stdout), 0);
    CHECK_EQ(ferror(stdout), 0);

    FILE *f = fopen("file", "w+");
    CHECK(f != NULL);
    for (int i = 0; i < 10000; i++)
        fprintf(f, "%d\n", i);
    rewind(f);
    long sum = 0;
    for (int value; fscanf(f, "%d", &value) == 1;)
        sum += value;
    CHECK_EQ(sum, 49995000);
    CHECK_EQ(feof(f) != 0, 1);
    CHECK_EQ(fseek(f, -5, SEEK_END), 0);
    char line[16];
    CHECK(fgets(line, sizeof line, f) != NULL);
    CHECK_STR(line, "9999\n");
    CHECK_EQ(fclose(f), 0);

    f = fopen("/dev/full", "w");
    CHECK(f != NULL);
    fputs("nowhere to go", f);
    CHECK_ERR(fflush(f), ENOSPC);
    CHECK(fopen("none/file", "r") == NULL);
    CHECK_EQ(errno, ENOENT);
    return CHECK_DONE();
}
