// A peer for test/interop/yamux.ts: hashicorp/yamux on one TCP connection, told what to do over its first stream.
//
//	yamux-peer <host:port> <client|server> <accept backlog>
//
// The first byte of a stream says what its acceptor does:
//
//	E  send everything back            S  read to the end, answer length and CRC-32
//	L  read to the end, answer late    G  send as many bytes as asked for, then their CRC-32
//	C  commands, one per line, each answered by a line
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/ioutil"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

const lateAnswer = 1 << 20

var session *yamux.Session

// Held by the command "hold": no stream is accepted meanwhile.
var accepting sync.Mutex

// How the streams ended that were read to the end: "EOF" or an error.
var endings = make(chan string, 1024)

func main() {
	conn, err := net.Dial("tcp", os.Args[1])
	check(err)
	config := yamux.DefaultConfig()
	config.AcceptBacklog, err = strconv.Atoi(os.Args[3])
	check(err)
	config.KeepAliveInterval = 200 * time.Millisecond
	config.LogOutput = ioutil.Discard
	if os.Args[2] == "client" {
		session, err = yamux.Client(conn, config)
	} else {
		session, err = yamux.Server(conn, config)
	}
	check(err)
	for {
		accepting.Lock()
		accepting.Unlock()
		stream, err := session.AcceptStream()
		if err != nil {
			return
		}
		go serve(stream)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func serve(stream *yamux.Stream) {
	var what [1]byte
	if _, err := io.ReadFull(stream, what[:]); err != nil {
		endings <- err.Error()
		return
	}
	switch what[0] {
	case 'E':
		io.Copy(stream, stream)
		stream.Close()
	case 'S':
		length, sum, err := drain(stream)
		if err != nil {
			endings <- err.Error()
			return
		}
		var answer [12]byte
		binary.BigEndian.PutUint64(answer[:], length)
		binary.BigEndian.PutUint32(answer[8:], sum)
		stream.Write(answer[:])
		stream.Close()
	case 'L':
		drain(stream)
		time.Sleep(300 * time.Millisecond)
		stream.Write(make([]byte, lateAnswer))
		stream.Close()
	case 'G':
		var length [8]byte
		io.ReadFull(stream, length[:])
		sum := send(stream, binary.BigEndian.Uint64(length[:]))
		binary.BigEndian.PutUint32(length[:], sum)
		stream.Write(length[:4])
		stream.Close()
	case 'C':
		commands(stream)
	}
}

// Reads to the end.
func drain(stream io.Reader) (length uint64, sum uint32, err error) {
	buffer := make([]byte, 256*1024)
	for {
		n, err := stream.Read(buffer)
		length += uint64(n)
		sum = crc32.Update(sum, crc32.IEEETable, buffer[:n])
		if err == io.EOF {
			return length, sum, nil
		}
		if err != nil {
			return length, sum, err
		}
	}
}

// Sends bytes that differ from block to block.
func send(stream io.Writer, length uint64) (sum uint32) {
	block := make([]byte, 256*1024)
	for i := range block {
		block[i] = byte(i*7 + i>>8)
	}
	for at := uint64(0); at < length; {
		binary.BigEndian.PutUint64(block, at)
		n := uint64(len(block))
		if n > length-at {
			n = length - at
		}
		if _, err := stream.Write(block[:n]); err != nil {
			return 0
		}
		sum = crc32.Update(sum, crc32.IEEETable, block[:n])
		at += n
	}
	return sum
}

func commands(stream *yamux.Stream) {
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		words := append(strings.Fields(lines.Text()), "0")
		number, _ := strconv.Atoi(words[1])
		answer, err := command(words[0], number)
		if err != nil {
			answer = "error " + err.Error()
		}
		fmt.Fprintln(stream, answer)
	}
	stream.Close()
}

func command(word string, number int) (string, error) {
	switch word {
	case "ping":
		time, err := session.Ping()
		return fmt.Sprint(time.Microseconds()), err
	case "goaway":
		return "ok", session.GoAway()
	case "hold":
		accepting.Lock()
		return "ok", nil
	case "resume":
		accepting.Unlock()
		return "ok", nil
	case "ending":
		select {
		case ending := <-endings:
			return ending, nil
		case <-time.After(5 * time.Second):
			return "none", nil
		}
	case "open": // open one, and do nothing
		_, err := session.OpenStream()
		return "ok", err
	case "send": // open a stream and send so many bytes on it
		stream, err := session.OpenStream()
		if err != nil {
			return "", err
		}
		stream.Write([]byte{'S'})
		sum := send(stream, uint64(number))
		stream.Close()
		var answer [12]byte
		if err := readAfterClose(stream, answer[:]); err != nil {
			return "", err
		}
		same := binary.BigEndian.Uint32(answer[8:]) == sum && binary.BigEndian.Uint64(answer[:]) == uint64(number)
		return fmt.Sprint(same), nil
	case "fetch": // open a stream and have so many bytes sent
		stream, err := session.OpenStream()
		if err != nil {
			return "", err
		}
		var request [9]byte
		request[0] = 'G'
		binary.BigEndian.PutUint64(request[1:], uint64(number))
		stream.Write(request[:])
		sum := uint32(0)
		buffer := make([]byte, 256*1024)
		for left := number; left > 0; {
			n, err := stream.Read(buffer[:min(left, len(buffer))])
			if err != nil {
				return "", err
			}
			sum = crc32.Update(sum, crc32.IEEETable, buffer[:n])
			left -= n
		}
		var trailer [4]byte
		_, err = io.ReadFull(stream, trailer[:])
		stream.Close()
		return fmt.Sprint(binary.BigEndian.Uint32(trailer[:]) == sum), err
	case "late": // end a stream at once, and want an answer
		stream, err := session.OpenStream()
		if err != nil {
			return "", err
		}
		stream.Write([]byte{'L'})
		stream.Close()
		return "ok", readAfterClose(stream, make([]byte, lateAnswer))
	case "many": // open so many streams, all at a time, and use each
		return many(number)
	}
	return "", fmt.Errorf("what is %s?", word)
}

func many(number int) (string, error) {
	streams := make([]*yamux.Stream, number)
	for i := range streams {
		stream, err := session.OpenStream()
		if err != nil {
			return "", err
		}
		streams[i] = stream
	}
	var group sync.WaitGroup
	failed := make(chan error, number)
	for i, stream := range streams {
		group.Add(1)
		go func(i int, stream *yamux.Stream) {
			defer group.Done()
			text := fmt.Sprintf("E%d", i)
			stream.Write([]byte(text))
			answer := make([]byte, len(text)-1)
			if _, err := io.ReadFull(stream, answer); err != nil || string(answer) != text[1:] {
				failed <- fmt.Errorf("stream %d: %v %s", i, err, answer)
			}
			stream.Close()
		}(i, stream)
	}
	group.Wait()
	select {
	case err := <-failed:
		return "", err
	default:
		return "ok", nil
	}
}

// Reads of a stream that this side has closed fail while nothing is there, in yamux of 2019: they are tried again.
func readAfterClose(stream io.Reader, into []byte) error {
	deadline := time.Now().Add(60 * time.Second)
	for at := 0; at < len(into); {
		n, err := stream.Read(into[at:])
		at += n
		if err != nil && err != io.EOF {
			return err
		}
		if n == 0 {
			if time.Now().After(deadline) {
				return io.ErrUnexpectedEOF
			}
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}
