# Perl: processes, pipes, sockets, signals, sprintf, regular expressions, files.
# needs perl
cp "${0%.sh}.pl" p.pl
perl p.pl one two
echo $?
perl -ne 'print if $. % 50 == 0' <(seq 200)
perl -pi.bak -e 's/use/USE/' p.pl
head -c 20 p.pl
perl -MO=Deparse -e 'print 1 if $x' 2>&1
perl -c p.pl.bak
perl -e 'exit 300'
echo $?
perl -e 'my @a; $a[1 << 40] = 1'
echo $?
perl -e 'sub f { f($_[0] - 1) if $_[0] } f(20000); print "deep\n"' 2>/dev/null
perl -MConfig -e 'print "$Config{archname}\n"'
perl -e 'print "\x{263a}\n"'
perl -Mutf8 -CS -e 'print length "äöü"'
perl -e 'kill 11, $$' &
{
    wait $!
    echo $?
} 2>/dev/null
