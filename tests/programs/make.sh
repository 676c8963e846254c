# make with parallel jobs, and the compilers; what they build is run.
# needs make gcc g++ ar
# only ci
mkdir c && cd c
for i in 1 2 3 4 5 6; do echo "int f$i(int x) { return x * $i; }" >f$i.c; done
cat >main.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
int f1(int), f2(int), f3(int), f4(int), f5(int), f6(int);
int main(int argc, char **argv) {
    int x = argc > 1 ? atoi(argv[1]) : 7;
    printf("%d %d %d %.6f\n", f1(x) + f2(x) + f3(x), f4(x) + f5(x), f6(x), sqrt(x));
    return f6(x) % 256;
}
END
cat >Makefile <<'END'
OBJECTS := $(patsubst %.c,%.o,$(sort $(wildcard *.c)))
all: prog shared static
prog: $(OBJECTS); @$(CC) -o $@ $^ -lm
shared: main.o libf.so; @$(CC) -o $@ main.o -L. -lf -lm -Wl,-rpath,'$$ORIGIN'
libf.so: $(sort $(wildcard f*.c)); @$(CC) -O2 -fPIC -shared -o $@ $^
static: main.o libf.a; @$(CC) -static -o $@ $^ -lm
libf.a: $(filter f%,$(OBJECTS)); @$(AR) rcs $@ $^
%.o: %.c; @$(CC) -O2 -Wall -c -o $@ $<
fails: ; @exit 3
recursive: ; @+$(MAKE) --no-print-directory -C . prog MAKEFLAGS=$(MAKEFLAGS)
vars: ; @echo $(words $(OBJECTS)) $(shell echo from a shell) $(MAKELEVEL) $(firstword $(sort z y x)) $(subst a,b,banana)
.PHONY: all fails vars recursive
END
make -s -j2
echo $?
for p in ./prog ./shared ./static; do
    $p 5
    echo $?
done
make -j2
make -n clean
echo $?
make fails
echo $?
make -k fails nosuch
echo $?
make vars
touch f3.c
make -q prog
echo $?
make -s -j3 -O prog
make -s --trace -W f1.c -n prog | grep -c gcc
make -s -j2 recursive
echo 'int main(void) { return undeclared; }' >bad.c
gcc bad.c
echo $?
gcc -E -P - <<<'#define X(a) #a
X(text)'
gcc -S -O2 -o - f2.c | grep -c imul
gcc -pipe -O1 -xc - -o from-stdin \
    -include stdlib.h <<<'#include <unistd.h>
int main(void) { write(1, "piped\n", 6); abort(); }'
{
    ./from-stdin
    echo $?
} 2>/dev/null
gcc -O2 -flto=2 -o lto f*.c main.c -lm && ./lto 3
gcc -g -save-temps -o saved main.c f*.c -lm && ./saved 4
ls *.i *.s | wc -l
gcc nosuch.c
echo $?
gcc -o linkerr main.c 2>&1 | grep -c 'undefined reference'
cat >x.cc <<'END'
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
struct Base { virtual ~Base() = default; virtual std::string name() const { return "base"; } };
struct Derived : Base { std::string name() const override { return "derived"; } };
static int depth(int n) { if (n == 0) throw std::runtime_error("from the depth"); return depth(n - 1) + 1; }
int main() {
    std::map<std::string, std::vector<int>> m;
    for (int i = 0; i < 1000; i++) m["key" + std::to_string(i % 7)].push_back(i * i % 101);
    for (auto &[k, v] : m) { std::sort(v.begin(), v.end()); std::cout << k << ' ' << v.size() << ' ' << v.back() << '\n'; }
    std::unique_ptr<Base> p = std::make_unique<Derived>();
    try { depth(100); } catch (const std::exception &e) { std::cout << p->name() << ' ' << e.what() << std::endl; }
    try { std::vector<int>().at(3); } catch (const std::out_of_range &) { std::cout << "out of range\n"; }
    throw 42;
}
END
g++ -std=c++20 -O1 -o x x.cc && {
    ./x
    echo $?
} 2>&1 | sed 's/.*Aborted/Aborted/'
rm -f *.o prog shared static lib* lto saved* x from-stdin *.i *.s *.ltrans* *.res *.out
