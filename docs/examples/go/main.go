// An alert consumer in Go: one line a command, each carried out once.
//
//	go run . warnings order-cancels reductions episodes
//
// Brokers, prefix and group come from LIQMON_BROKERS, LIQMON_TOPIC_PREFIX and LIQMON_GROUP.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const remembered = 100_000

// Decimals stay strings: a float64 would not hold them.
type action struct {
	Action     string `json:"action"`
	Instrument string `json:"instrument"`
	Currency   string `json:"currency"`
	Quantity   string `json:"quantity"`
}

type command struct {
	CommandID string   `json:"command_id"`
	Kind      string   `json:"kind"`
	AccountID string   `json:"account_id"`
	EpisodeID string   `json:"episode_id"`
	Sequence  int64    `json:"sequence"`
	Attempt   int64    `json:"attempt"`
	ExpiresAt int64    `json:"expires_at"`
	State     string   `json:"state"`
	Level     string   `json:"level"`
	Reason    string   `json:"reason"`
	OrderIDs  []string `json:"order_ids"`
	Actions   []action `json:"actions"`
}

func (c command) says() string {
	switch c.Kind {
	case "warning":
		return c.State + " at " + c.Level
	case "order_cancel":
		return c.Reason + " cancel " + strings.Join(c.OrderIDs, ", ")
	case "episode":
		return c.State
	}
	var actions []string
	for _, a := range c.Actions {
		of := a.Instrument
		if of == "" {
			of = a.Currency
		}
		actions = append(actions, a.Action+" "+a.Quantity+" "+of)
	}
	return strings.Join(actions, "; ")
}

// bounded is a map that forgets its oldest keys.
type bounded struct {
	values map[string]int64
	order  []string
}

func (b *bounded) set(key string, value int64) {
	if _, there := b.values[key]; !there {
		b.order = append(b.order, key)
		if len(b.order) > remembered {
			delete(b.values, b.order[0])
			b.order = b.order[1:]
		}
	}
	b.values[key] = value
}

// acceptance knows which commands were taken already.
type acceptance struct {
	attempts bounded // command → highest attempt seen
	last     bounded // topic and episode → highest sequence seen
}

// refuses returns why a command must not be carried out, or "".
func (a *acceptance) refuses(topic string, c command, now int64) string {
	if c.ExpiresAt < now {
		return "expired"
	}
	attempt, known := a.attempts.values[c.CommandID]
	if known && c.Attempt <= attempt {
		return "copy"
	}
	episode := topic + " " + c.EpisodeID
	last, begun := a.last.values[episode]
	if !known && c.Attempt == 1 && begun && c.Sequence <= last {
		return "outdated"
	}
	a.attempts.set(c.CommandID, c.Attempt)
	a.last.set(episode, max(c.Sequence, last))
	return ""
}

// handle is where your own code goes. It may run again for the same command after a crash.
func handle(c command) {
	fmt.Printf("%s %s %s #%d.%d %s: %s\n",
		c.Kind, c.AccountID, c.EpisodeID, c.Sequence, c.Attempt, c.CommandID, c.says())
}

func take(record *kgo.Record, taken *acceptance) {
	var c command
	if err := json.Unmarshal(record.Value, &c); err != nil || c.CommandID == "" {
		fmt.Fprintf(os.Stderr, "not understood: %s[%d]@%d\n",
			record.Topic, record.Partition, record.Offset)
		return
	}
	if why := taken.refuses(record.Topic, c, time.Now().UnixMilli()); why != "" {
		fmt.Fprintf(os.Stderr, "%s: %s attempt %d\n", why, c.CommandID, c.Attempt)
		return
	}
	handle(c)
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func run(ctx context.Context, names []string) error {
	prefix := os.Getenv("LIQMON_TOPIC_PREFIX")
	var topics []string
	for _, name := range names {
		topics = append(topics, prefix+name)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(env("LIQMON_BROKERS", "localhost:9092"), ",")...),
		kgo.ConsumerGroup(prefix+env("LIQMON_GROUP", "desk")),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// An offset is committed after its command was handled, and no partition changes
		// hands in between.
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
	)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	taken := &acceptance{
		bounded{values: map[string]int64{}},
		bounded{values: map[string]int64{}},
	}
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			fmt.Fprintf(os.Stderr, "%s[%d]: %v\n", topic, partition, err)
		})
		fetches.EachRecord(func(record *kgo.Record) { take(record, taken) })
		if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
			fmt.Fprintf(os.Stderr, "commit: %v\n", err) // they come again
		}
		client.AllowRebalance()
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	names := os.Args[1:]
	if len(names) == 0 {
		names = []string{"warnings", "order-cancels", "reductions", "episodes"}
	}
	if err := run(ctx, names); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
