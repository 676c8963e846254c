package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		fail(os.Args[1])
	}
	goroutines()
	timers()
	faults()
	signals()
	server()
	processes()
	garbage()
	os.Exit(3)
}

func fail(how string) {
	switch how {
	case "panic":
		panic("on purpose")
	case "nil":
		var p *int
		*p = 1
	case "abort":
		syscall.Kill(syscall.Getpid(), syscall.SIGABRT)
		time.Sleep(time.Minute)
	}
}

func goroutines() {
	var sum atomic.Int64
	var wait sync.WaitGroup
	var lock sync.Mutex
	seen := map[int]int{}
	for n := 0; n < 1000; n++ {
		wait.Add(1)
		go func(n int) {
			defer wait.Done()
			sum.Add(int64(n))
			lock.Lock()
			seen[n%10]++
			lock.Unlock()
		}(n)
	}
	wait.Wait()
	fmt.Println(sum.Load(), len(seen))
	numbers, squares := make(chan int), make(chan int, 10)
	for w := 0; w < 4; w++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := range numbers {
				squares <- n * n
			}
		}()
	}
	go func() {
		for n := 0; n < 2000; n++ {
			numbers <- n
		}
		close(numbers)
		wait.Wait()
		close(squares)
	}()
	total := 0
	for s := range squares {
		total += s
	}
	fmt.Println(total)
	// Threads that hold no processor: each blocks in the kernel.
	for n := 0; n < 30; n++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			runtime.LockOSThread()
			syscall.Nanosleep(&syscall.Timespec{Nsec: 20e6}, nil)
		}()
	}
	wait.Wait()
	// A loop without a call is interrupted by a signal.
	var stop atomic.Bool
	go func() { stop.Store(true) }()
	for n := 0; !stop.Load(); n++ {
	}
	fmt.Println("preempted")
}

func timers() {
	begin := time.Now()
	select {
	case <-time.After(20 * time.Millisecond):
		fmt.Println("timer", time.Since(begin) >= 20*time.Millisecond)
	case <-time.After(time.Minute):
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	fmt.Println(ctx.Err())
	ticker := time.NewTicker(time.Millisecond)
	for n := 0; n < 5; n++ {
		<-ticker.C
	}
	ticker.Stop()
}

func faults() {
	count := 0
	for n := 0; n < 200; n++ {
		func() {
			defer func() {
				var e runtime.Error
				if err, ok := recover().(error); ok && errors.As(err, &e) {
					count++
				}
			}()
			var p *[100]int
			p[n%100] = 1
		}()
	}
	fmt.Println("faults", count)
	defer func() { fmt.Println(recover()) }()
	zero := count - 200
	fmt.Println(1 / zero)
}

func signals() {
	caught := make(chan os.Signal, 10)
	signal.Notify(caught, syscall.SIGUSR1, syscall.SIGTERM)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM} {
		syscall.Kill(syscall.Getpid(), s)
		fmt.Println(<-caught)
	}
	signal.Stop(caught)
}

func server() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		json.NewEncoder(w).Encode(map[string]any{"path": r.URL.Path, "body": strings.ToUpper(string(body))})
	}))
	var wait sync.WaitGroup
	answers := make([]string, 40)
	for n := range answers {
		wait.Add(1)
		go func(n int) {
			defer wait.Done()
			url := fmt.Sprintf("http://%s/%d", listener.Addr(), n)
			r, err := http.Post(url, "text/plain", strings.NewReader(fmt.Sprint("body ", n)))
			if err != nil {
				answers[n] = err.Error()
				return
			}
			defer r.Body.Close()
			text, _ := io.ReadAll(r.Body)
			answers[n] = strings.TrimSpace(string(text))
		}(n)
	}
	wait.Wait()
	sort.Strings(answers)
	fmt.Println(answers[0], answers[39])
	listener.Close()
	_, err = net.DialTimeout("tcp", "127.0.0.1:1", time.Second)
	fmt.Println(errors.Is(err, syscall.ECONNREFUSED))
}

func processes() {
	out, err := exec.Command("sh", "-c", "echo child; exit 4").Output()
	fmt.Printf("%q %v\n", out, err)
	command := exec.Command("tr", "a-z", "A-Z")
	command.Stdin = strings.NewReader("piped")
	out, err = command.CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	fmt.Println(exec.CommandContext(ctx, "sleep", "100").Run())
	fmt.Println(exec.Command("nosuch").Run())
}

func garbage() {
	kept := map[int][]byte{}
	for n := 0; n < 20000; n++ {
		kept[n%100] = make([]byte, n%5000)
	}
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Println(len(kept), stats.NumGC > 0)
	fmt.Printf("%x\n", sha256.Sum256(make([]byte, 1<<20)))
	var deep func(n int) int
	deep = func(n int) int {
		if n == 0 {
			return 0
		}
		return deep(n-1) + 1
	}
	done := make(chan int)
	go func() { done <- deep(200000) }()
	fmt.Println(<-done)
}
