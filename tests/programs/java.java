import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;
import java.util.stream.*;

class Main {
    static Object nothing;

    public static void main(String[] arguments) throws Exception {
        System.out.println(Arrays.toString(arguments));
        switch (arguments[0]) {
            case "fail" -> throw new IllegalStateException("uncaught");
            case "sleep" -> sleep();
            default -> run();
        }
    }

    static void sleep() throws Exception {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("shutdown hook")));
        System.out.println("ready");
        Thread.sleep(60_000);
    }

    static void run() throws Exception {
        faults();
        threads();
        garbage();
        files();
        sockets();
        processes();
        System.exit(3);
    }

    static void faults() {
        int caught = 0;
        for (int i = 0; i < 20_000; i++) {
            try {
                nothing.hashCode();
            } catch (NullPointerException e) {
                caught++;
            }
        }
        try {
            deep(0);
        } catch (StackOverflowError e) {
            System.out.println("stack overflow");
        }
        try {
            System.out.println(1 / (caught - 20_000));
        } catch (ArithmeticException e) {
            System.out.println(e.getMessage());
        }
        try {
            int[] a = new int[caught / 20_000];
            a[1] = 1;
        } catch (ArrayIndexOutOfBoundsException e) {
            System.out.println(e.getMessage());
        }
        try {
            List<long[]> all = new ArrayList<>();
            for (;;) all.add(new long[1_000_000]);
        } catch (OutOfMemoryError e) {
            System.out.println(e.getMessage());
        }
        System.out.println(caught);
    }

    static int deep(int n) {
        return deep(n + 1) + 1;
    }

    static void threads() throws Exception {
        AtomicLong sum = new AtomicLong();
        long[] plain = new long[1];
        Lock lock = new ReentrantLock();
        Thread[] threads = new Thread[8];
        for (int t = 0; t < threads.length; t++) {
            threads[t] = new Thread(() -> {
                for (int i = 0; i < 5000; i++) {
                    sum.incrementAndGet();
                    synchronized (plain) {
                        plain[0]++;
                    }
                    lock.lock();
                    try {
                        plain[0]++;
                    } finally {
                        lock.unlock();
                    }
                }
            });
        }
        for (Thread t : threads) t.start();
        for (Thread t : threads) t.join();
        System.out.println(sum.get());
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Integer>> futures = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            int n = i;
            futures.add(pool.submit(() -> IntStream.rangeClosed(1, n).sum()));
        }
        int total = 0;
        for (Future<Integer> future : futures) total += future.get();
        pool.shutdown();
        System.out.println(total + " " + pool.awaitTermination(10, TimeUnit.SECONDS));
        System.out.println(IntStream.range(0, 100_000).parallel().filter(i -> i % 7 == 0).count());
        SynchronousQueue<Integer> queue = new SynchronousQueue<>();
        Thread producer = new Thread(() -> {
            try {
                for (int i = 0; i < 500; i++) queue.put(i);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        producer.start();
        long received = 0;
        for (int i = 0; i < 500; i++) received += queue.take();
        System.out.println(received);
        Thread sleeper = new Thread(() -> {
            try {
                Thread.sleep(60_000);
            } catch (InterruptedException e) {
                System.out.println("interrupted");
            }
        });
        sleeper.start();
        sleeper.interrupt();
        sleeper.join();
        ScheduledExecutorService timer = Executors.newScheduledThreadPool(1);
        CountDownLatch ticks = new CountDownLatch(5);
        timer.scheduleAtFixedRate(ticks::countDown, 1, 1, TimeUnit.MILLISECONDS);
        System.out.println(ticks.await(20, TimeUnit.SECONDS));
        timer.shutdownNow();
    }

    static void garbage() {
        Map<Integer, String> map = new TreeMap<>();
        for (int round = 0; round < 10; round++) {
            map.clear();
            for (int i = 0; i < 20_000; i++) map.put(i * 7919 % 20_011, "value " + i);
            byte[][] blocks = new byte[50][];
            for (int i = 0; i < blocks.length; i++) blocks[i] = new byte[200_000];
        }
        System.gc();
        System.out.println(map.size() + " " + map.values().stream().mapToInt(String::length).sum());
    }

    static void files() throws Exception {
        Path path = Path.of("file");
        Files.writeString(path, "line\n".repeat(1000));
        System.out.println(Files.lines(path).count() + " " + Files.size(path));
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MappedByteBuffer map = channel.map(FileChannel.MapMode.READ_WRITE, 0, 5000);
            map.put(0, (byte) 'L');
            map.force();
            System.out.println(map.get(4999) + " " + channel.tryLock().isValid());
        }
        System.out.println(Files.readString(path).substring(0, 4));
        Files.delete(path);
        try {
            Files.readString(path);
        } catch (NoSuchFileException e) {
            System.out.println(e.getMessage());
        }
    }

    static void sockets() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
            Thread echo = new Thread(() -> {
                try (Socket socket = server.accept()) {
                    BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()));
                    PrintStream out = new PrintStream(socket.getOutputStream(), true);
                    for (String line; (line = in.readLine()) != null; ) out.println(line.toUpperCase());
                } catch (IOException e) {
                    System.out.println(e);
                }
            });
            echo.start();
            try (Socket socket = new Socket(server.getInetAddress(), server.getLocalPort())) {
                PrintStream out = new PrintStream(socket.getOutputStream(), true);
                BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream()));
                for (int i = 0; i < 20; i++) {
                    out.println("line " + i);
                    String answer = in.readLine();
                    if (i == 19) System.out.println(answer);
                }
                socket.setSoTimeout(20);
                try {
                    in.readLine();
                } catch (SocketTimeoutException e) {
                    System.out.println(e.getMessage());
                }
            }
            echo.join();
        }
    }

    static void processes() throws Exception {
        Process process = new ProcessBuilder("sh", "-c", "cat; exit 7").start();
        process.getOutputStream().write("to a child".getBytes());
        process.getOutputStream().close();
        System.out.println(new String(process.getInputStream().readAllBytes()) + " " + process.waitFor());
        Process sleeper = new ProcessBuilder("sleep", "100").start();
        sleeper.destroy();
        System.out.println(sleeper.waitFor());
        try {
            new ProcessBuilder("nosuch").start();
        } catch (IOException e) {
            System.out.println(e.getMessage());
        }
    }
}
