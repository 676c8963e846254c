# Python's own tests of memory maps, outcome by outcome.
# needs /usr/bin/python3 /usr/lib/python3.11/test/test_mmap.py
# seconds 300
# only ci
here=${0%/*}
/usr/bin/python3 -I "$here/python_tests.py" "$here/python_tests.txt" test_mmap
rm -rf @test*
