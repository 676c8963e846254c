# Python's own tests of files, processes, environment, outcome by outcome.
# needs /usr/bin/python3 /usr/lib/python3.11/test/test_os.py
# seconds 300
# only ci
here=${0%/*}
/usr/bin/python3 -I "$here/python_tests.py" "$here/python_tests.txt" test_os
rm -rf @test*
