import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * An alert consumer with Kafka's own client: one line a command, each carried out once.
 *
 * <p>{@code java -cp kafka-clients.jar:jackson-databind.jar:... Alerts.java warnings reductions}.
 * Brokers, prefix and group come from LIQMON_BROKERS, LIQMON_TOPIC_PREFIX and LIQMON_GROUP.
 */
public final class Alerts {
    private static final List<String> TOPICS =
            List.of("warnings", "order-cancels", "reductions", "episodes");
    private static final ObjectMapper JSON = new ObjectMapper();

    private Alerts() {}

    /** What a consumer needs of a command. Decimals stay strings, or become BigDecimal. */
    record Command(JsonNode fields) {
        String text(String name) {
            return fields.path(name).asText("");
        }

        long number(String name) {
            return fields.path(name).asLong();
        }

        String says() {
            return switch (text("kind")) {
                case "warning" -> text("state") + " at " + text("level");
                case "order_cancel" -> text("reason") + " cancel " + joined("order_ids");
                case "episode" -> text("state");
                default -> actions();
            };
        }

        private String joined(String name) {
            List<String> values = new ArrayList<>();
            fields.path(name).forEach(value -> values.add(value.asText()));
            return String.join(", ", values);
        }

        private String actions() {
            List<String> said = new ArrayList<>();
            for (JsonNode action : fields.path("actions")) {
                String of = action.hasNonNull("instrument") ? "instrument" : "currency";
                said.add(
                        String.join(
                                " ",
                                action.path("action").asText(),
                                action.path("quantity").asText(),
                                action.path(of).asText()));
            }
            return String.join("; ", said);
        }
    }

    /** A map that forgets its oldest keys. */
    static final class Bounded extends LinkedHashMap<String, Long> {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
            return size() > 100_000;
        }
    }

    /** Knows which commands were taken already. */
    static final class Acceptance {
        /** Command → highest attempt seen. */
        private final Map<String, Long> attempts = new Bounded();

        /** Topic and episode → highest sequence seen. */
        private final Map<String, Long> last = new Bounded();

        /** Returns why a command must not be carried out, or null. */
        String refusal(String topic, Command command, long now) {
            if (command.number("expires_at") < now) {
                return "expired";
            }
            long attempt = command.number("attempt");
            Long seen = attempts.get(command.text("command_id"));
            if (seen != null && attempt <= seen) {
                return "copy";
            }
            String episode = topic + " " + command.text("episode_id");
            long sequence = command.number("sequence");
            Long highest = last.get(episode);
            if (seen == null && attempt == 1 && highest != null && sequence <= highest) {
                return "outdated";
            }
            attempts.put(command.text("command_id"), attempt);
            last.merge(episode, sequence, Math::max);
            return null;
        }
    }

    /** Your own code goes here. It may run again for the same command after a crash. */
    private static void handle(Command command) {
        System.out.printf(
                "%s %s %s #%d.%d %s: %s%n",
                command.text("kind"),
                command.text("account_id"),
                command.text("episode_id"),
                command.number("sequence"),
                command.number("attempt"),
                command.text("command_id"),
                command.says());
        System.out.flush();
    }

    private static void take(ConsumerRecord<String, byte[]> record, Acceptance acceptance) {
        Command command = null;
        try {
            command = new Command(JSON.readTree(record.value()));
        } catch (IOException | IllegalArgumentException error) {
            // told below
        }
        if (command == null || command.text("command_id").isEmpty()) {
            System.err.printf(
                    "not understood: %s[%d]@%d%n",
                    record.topic(), record.partition(), record.offset());
            return;
        }
        String why = acceptance.refusal(record.topic(), command, System.currentTimeMillis());
        if (why == null) {
            handle(command);
        } else {
            System.err.printf(
                    "%s: %s attempt %d%n",
                    why, command.text("command_id"), command.number("attempt"));
        }
    }

    private static String env(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    /** Runs until the process is told to end. */
    public static void main(String[] arguments) {
        String prefix = env("LIQMON_TOPIC_PREFIX", "");
        List<String> names = arguments.length > 0 ? List.of(arguments) : TOPICS;
        Properties config = new Properties();
        config.put("bootstrap.servers", env("LIQMON_BROKERS", "localhost:9092"));
        config.put("group.id", prefix + env("LIQMON_GROUP", "desk"));
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");

        KafkaConsumer<String, byte[]> consumer =
                new KafkaConsumer<>(config, new StringDeserializer(), new ByteArrayDeserializer());
        Thread main = Thread.currentThread();
        Runtime.getRuntime()
                .addShutdownHook(
                        new Thread(
                                () -> {
                                    consumer.wakeup();
                                    try {
                                        main.join();
                                    } catch (InterruptedException error) {
                                        Thread.currentThread().interrupt();
                                    }
                                }));
        Acceptance acceptance = new Acceptance();
        try {
            consumer.subscribe(names.stream().map(prefix::concat).toList());
            while (true) {
                ConsumerRecords<String, byte[]> records = consumer.poll(Duration.ofMillis(500));
                records.forEach(record -> take(record, acceptance));
                try {
                    consumer.commitSync();
                } catch (CommitFailedException error) {
                    // The partitions moved: what was handled last comes again.
                    System.err.println("commit: " + error.getMessage());
                }
            }
        } catch (WakeupException end) {
            consumer.commitSync(); // all that was read has been handled
        } finally {
            consumer.close();
        }
    }
}
