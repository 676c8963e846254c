# Python's own tests of sockets of all families, outcome by outcome.
# needs /usr/bin/python3 /usr/lib/python3.11/test/test_socket.py
# seconds 300
# only long
here=${0%/*}
/usr/bin/python3 -I "$here/python_tests.py" "$here/python_tests.txt" test_socket
rm -rf @test*
