// stdin(3): lines through stdio from a pipe put in place of descriptor 0, until the end of file.
#include "check.h"

#include <fcntl.h>

int main(void) {
    int ends[2];
    CHECK_OK(pipe(ends));
    for (int i = 0; i < 1000; i++)
        dprintf(ends[1], "line %d %s\n", i, "and some more text");
    CHECK_EQ(dup2(ends[0], 0), 0);
    close(ends[0]);
    close(ends[1]);
    char *line = NULL;
    size_t room = 0;
    long lines = 0, bytes = 0;
    for (ssize_t length; (length = getline(&line, &room, stdin)) > 0; lines++)
        bytes += length;
    CHECK_EQ(lines, 1000);
    CHECK_EQ(bytes, 27890);
    CHECK(feof(stdin));
    CHECK_STR(line, "line 999 and some more text\n");
    CHECK_EQ(read(0, line, 1), 0);
    close(0);
    CHECK_ERR(read(0, line, 1), EBADF);
    CHECK_EQ(open("file", O_CREAT | O_RDWR, 0600), 0);
    return CHECK_DONE();
}
