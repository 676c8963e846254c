// 2,000 mappings of one or two pages, with rights that keep neighbours apart, unmapped in odd
// order. munmap(2).
#include "mem/mem.h"

#define COUNT 2000

static char *mapping[COUNT];

static size_t pages_of(int i) { return i % 2 + 1; }

// A hole is found again by what fits it exactly, whatever was looked for meanwhile.
static void holes(void) {
    enum { ALL = 64, HOLE = 3 };
    char *room = map_pages(ALL, PROT_NONE), *found;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(munmap(room + 8 * PAGE, HOLE * PAGE));
        CHECK_OK(munmap(room + 16 * PAGE, HOLE * PAGE));
        // Higher holes than these are used up first.
        while ((found = map_pages(HOLE, PROT_NONE)) > room + ALL * PAGE)
            ;
        CHECK(found == room + 16 * PAGE);
        CHECK(map_pages(HOLE + 1, PROT_NONE) < room);
        CHECK(map_pages(HOLE, PROT_NONE) == room + 8 * PAGE);
        CHECK(map_pages(HOLE, PROT_NONE) < room);
    }
}

int main(void) {
    holes();
    int wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        int protection = i % 3 == 0 ? PROT_READ | PROT_WRITE : i % 3 == 1 ? PROT_READ : PROT_NONE;
        mapping[i] = map_pages(pages_of(i), protection);
        if (i % 3 == 0)
            mapping[i][PAGE - 1] = (char)i;
    }
    for (int i = 0; i < COUNT; i += 3)
        wrong += mapping[i][0] != 0 || mapping[i][PAGE - 1] != (char)i;
    CHECK_EQ(wrong, 0);
    for (int i = 0; i < COUNT; i += 97)
        wrong += rights(mapping[i], 1)[0] != "wr-"[i % 3];
    CHECK_EQ(wrong, 0);
    CHECK_ERR(munmap(mapping[0] + 1, PAGE), EINVAL);

    // 7 shares no factor with 2,000: this visits all of them.
    for (int i = 0; i < COUNT / 2; i++)
        wrong += munmap(mapping[i * 7 % COUNT], pages_of(i * 7 % COUNT) * PAGE) != 0;
    CHECK_EQ(wrong, 0);
    for (int i = COUNT / 2; i < COUNT; i++) {
        int j = i * 7 % COUNT;
        if (j % 3 == 0)
            wrong += mapping[j][0] != 0 || mapping[j][PAGE - 1] != (char)j;
    }
    CHECK_EQ(wrong, 0);
    for (int i = COUNT / 2; i < COUNT; i++)
        wrong += munmap(mapping[i * 7 % COUNT], pages_of(i * 7 % COUNT) * PAGE) != 0;
    CHECK_EQ(wrong, 0);
    for (int i = 0; i < COUNT; i += 97)
        wrong += rights(mapping[i], 1)[0] != '.';
    CHECK_EQ(wrong, 0);
    return CHECK_DONE();
}
