# The stressors of stress-ng that verify what they do.
# needs stress-ng
# seconds 150
# only ci
stressor() {
    local name=$1 operations=$2
    shift 2
    stress-ng --$name 2 --$name-ops $operations --timeout 20 --verify --temp-path . --quiet "$@"
    echo "$name $?"
}
stressor cpu 40
stressor vm 400 --vm-bytes 8m
stressor mmap 8 --mmap-bytes 4m
stressor fork 100
stressor futex 400
stressor signal 400
stressor pipe 400
stressor sock 20
stressor switch 400
stressor sigq 200
stressor pthread 40
stressor clone 40
stressor vfork 100
stressor exec 10
stressor brk 200
stressor mprotect 40
stressor mremap 20
stressor sem 400
stressor shm 10
stressor eventfd 200
stressor timer 100
stressor poll 100
stressor epoll 100
stressor udp 20
stressor fault 100
stressor sigsegv 200
stressor malloc 1000
stressor memfd 4
stressor msg 400
stressor pty 2
stressor zombie 50
