use strict;
use warnings;
no warnings 'once';
use POSIX qw(:sys_wait_h :signal_h :errno_h floor strftime mkfifo);
use Socket;
use IO::Handle;
use IO::Socket::INET;
use IO::Select;
use Fcntl       qw(:flock SEEK_SET);
use Time::HiRes qw(usleep setitimer ITIMER_REAL alarm);
use File::Temp;
use Storable;
use Data::Dumper;
use List::Util qw(sum shuffle);
use Cwd;
use IPC::Open3;
use Digest::SHA qw(sha256_hex);
use MIME::Base64;
$|                      = 1;
$Data::Dumper::Sortkeys = 1;
$Data::Dumper::Indent   = 1;
printf "%05d|%-6s|%+.3e|%x|%o|%b|%s|%v d\n", 42, "ab", 12345.678, 255, 8, 5, join( ",", map { $_**2 } 1 .. 5 ),
  "1.22.333";
my %h;
$h{ $_ % 3 }{$_} = [ $_, { sq => $_ * $_ } ] for 1 .. 6;
print Dumper( \%h );
print join( "|", "2024-05-17T10:20" =~ /^(\d+)-(\d+)-(\d+)T(?<hour>\d+):(\d+)$/ ), " $+{hour}\n";
( my $t = "hello world" ) =~ s/(\w+)/\u$1/g;
print "$t\n";
print join( ",", split /\s*,\s*/, "a , b,c ,d" ), " ", scalar reverse("abc"), " ", ucfirst lc "WORD", "\n";
my $re = qr/(\((?:[^()]++|(?1))*\))/;
"f(a(b)c)(d" =~ $re and print "$1\n";
print "a1b22" =~ tr/0-9//, "\n";
pipe( my $r, my $w ) or die;
my $pid = fork // die;
if ( !$pid ) { close $r; print $w "line $_\n" for 1 .. 3; close $w; exit 7 }
close $w;
print "got $_" while <$r>;
waitpid $pid, 0;
print "status ", $? >> 8, "\n";
my @kids = map {
    my $n = $_;
    my $p = fork // die;
    if ( !$p ) { usleep( 1000 * $n ); POSIX::_exit($n) }
    $p
} 1 .. 5;
my $s = 0;
while ( ( my $k = wait ) > 0 ) { $s += $? >> 8 }
print "kids $s ", $! == ECHILD ? "ECHILD" : $!, "\n";
local $SIG{USR1} = sub { print "signal $_[0]\n" };
kill USR1 => $$;
local $SIG{ALRM} = sub { die "alarm\n" };
eval { alarm 0.05; select undef, undef, undef, 5; };
print "died of $@";
local $SIG{CHLD} = sub {
    while ( waitpid( -1, WNOHANG ) > 0 ) { print "child reaped\n" }
};
if ( !( my $p = fork // die ) ) { exit }
select undef, undef, undef, 2;
$SIG{CHLD} = 'DEFAULT';
my $set = POSIX::SigSet->new(SIGUSR1);
sigprocmask( SIG_BLOCK, $set );
kill USR1 => $$;
print "blocked\n";
my $pend = POSIX::SigSet->new;
sigpending($pend);
print $pend->ismember(SIGUSR1), "\n";
sigprocmask( SIG_UNBLOCK, $set );
my $server = IO::Socket::INET->new( Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp' ) or die;
my $port   = $server->sockport;

if ( !( my $p = fork // die ) ) {
    my $c = $server->accept;
    while (<$c>) { print $c uc }
    exit;
}
my $c = IO::Socket::INET->new("127.0.0.1:$port") or die;
print $c "over tcp $_\n" for 1 .. 3;
shutdown $c, 1;
print while <$c>;
wait;
socketpair( my $left, my $right, AF_UNIX, SOCK_STREAM, PF_UNSPEC ) or die;
$left->autoflush;
print $left "pair\n";
print scalar <$right>;
my $sel = IO::Select->new($right);
print scalar( $sel->can_read(0.01) ), "\n";
print $left "x";
print scalar( $sel->can_read(1) ), "\n";
socket( my $u, AF_INET, SOCK_DGRAM, 0 );
bind $u, sockaddr_in( 0, INADDR_LOOPBACK );
my ($up) = sockaddr_in( getsockname $u );
send $u, "datagram", 0, sockaddr_in( $up, INADDR_LOOPBACK );
recv $u, my $buf, 100, 0;
print "$buf\n";
open my $f, '+>', 'file' or die;
flock $f, LOCK_EX;
print $f "text\n" x 1000;
seek $f, 5, SEEK_SET;
read $f, $buf, 4;
print "$buf ", -s $f, "\n";
truncate $f, 10;
print -s $f, "\n";

if ( !( my $p = fork // die ) ) {
    open my $g, '<', 'file';
    print flock( $g, LOCK_EX | LOCK_NB ) ? "locked\n" : "busy\n";
    exit;
}
wait;
close $f;
mkfifo 'fifo', 0600;
if ( !( my $p = fork // die ) ) { open my $o, '>', 'fifo'; print $o "through a fifo\n"; exit }
open my $i, '<', 'fifo';
print <$i>;
wait;
unlink 'fifo';
chmod 0640, 'file';
printf "%o\n", ( stat 'file' )[2];
rename 'file', 'moved';
print join( ' ', sort glob '*' ), "\n";
symlink 'moved', 'l';
print readlink 'l', "\n";
utime 1e9, 1e9, 'moved';
print strftime( '%F', gmtime( ( stat _ )[9] && ( stat 'moved' )[9] ) ), "\n";
mkdir 'd' or die;
print -d 'd' ? "dir\n" : "no\n";
rmdir 'd';
open my $no, '<', 'nosuch' or print "$!\n";
opendir my $dh, '.';
print join( ' ', sort grep !/^\./, readdir $dh ), "\n";
print `echo backtick; exit 3`;
print $? >> 8,                    "\n";
print system('kill -9 $$') & 127, "\n";
open my $p, '-|', 'cat', 'p.pl' or die;
my $n = 0;
$n++ while <$p>;
close $p;
print "$n lines\n";
open $p, '|-', 'tr a-z A-Z';
print $p "to a pipe\n";
close $p;
my $o3 = open3( my $in, my $out, undef, 'sh', '-c', 'cat; echo err >&2' );
print $in "in\n";
close $in;
print sort <$out>;
waitpid $o3, 0;
print sha256_hex( "x" x 1e6 ), " ", encode_base64("text");
print sum( map { sqrt } 1 .. 1000 ) > 21097 ? "sum\n" : "no\n";
my $st = Storable::dclone( \%h );
print scalar( keys %$st ), "\n";
my @sorted = sort { $a <=> $b } map { ( $_ * 7919 ) % 10007 } 1 .. 10000;
print "@sorted[0 .. 4]\n";
print eval { die { code => 5 } } // $@->{code}, "\n";
my $str = '';
$str .= chr( 65 + $_ % 26 ) for 1 .. 100000;
print length $str, "\n";
local $@;
eval "1 +* 2";
print "syntax error\n" if $@;
print "$0 @ARGV ", scalar(@INC) > 0, "\n";
$0 = 'renamed';
open my $cm, '<', "/proc/$$/cmdline";
print <$cm> =~ s/\0.*//sr, "\n";
exec 'sh', '-c', 'echo exec; kill -TERM $$';
