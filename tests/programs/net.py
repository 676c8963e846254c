import http.server, os, sys

class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *a):
        pass

    def date_time_string(self, timestamp=None):
        return 'Sun, 09 Sep 2001 01:46:40 GMT'

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.send_response(201)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])
server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
with open('port.new', 'w') as f:
    f.write(str(server.server_port))
os.rename('port.new', 'port')
server.serve_forever()
