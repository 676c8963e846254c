# Python's own tests of threads, outcome by outcome.
# needs /usr/bin/python3 /usr/lib/python3.11/test/test_threading.py
# seconds 300
# only ci
here=${0%/*}
/usr/bin/python3 -I "$here/python_tests.py" "$here/python_tests.txt" test_threading
rm -rf @test*
