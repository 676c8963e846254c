// strftime(3), timegm(3), mktime(3) in UTC: calendar arithmetic that needs no time zone files.
#include "check.h"

#include <time.h>

int main(void) {
    CHECK_EQ(setenv("TZ", "UTC0", 1), 0);
    tzset();
    struct tm tm;
    char text[64];
    time_t t = 1700000000;
    CHECK(gmtime_r(&t, &tm) == &tm);
    CHECK_EQ(strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %j", &tm), 27);
    CHECK_STR(text, "2023-11-14 22:13:20 Tue 318");
    CHECK_EQ(timegm(&tm), t);
    CHECK_EQ(mktime(&tm), t);
    tm = (struct tm){.tm_year = 100, .tm_mon = 1, .tm_mday = 30};
    CHECK_EQ(timegm(&tm), 951868800);
    CHECK(tm.tm_mon == 2 && tm.tm_mday == 1);
    t = -1;
    gmtime_r(&t, &tm);
    CHECK_EQ(tm.tm_year, 69);
    CHECK_EQ(setenv("TZ", "XYZ-5:30", 1), 0);
    tzset();
    t = 0;
    localtime_r(&t, &tm);
    CHECK(tm.tm_hour == 5 && tm.tm_min == 30);
    CHECK_EQ(tm.tm_gmtoff, 19800);
    t = INT64_MAX;
    CHECK(gmtime_r(&t, &tm) == NULL);
    CHECK_EQ(errno, EOVERFLOW);
    return CHECK_DONE();
}
