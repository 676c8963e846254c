/* Raises an exception as C++ does. */
#include <stdio.h>
#include <string.h>
#include <unwind.h>

int main(void)
{
    static struct _Unwind_Exception exception;
    memset(&exception, 0, sizeof exception);
    if (_Unwind_RaiseException(&exception) == _URC_END_OF_STACK)
        puts("raised, and nobody caught it");
    return 0;
}
