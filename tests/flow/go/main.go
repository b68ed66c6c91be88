// SPDX-License-Identifier: Apache-2.0

// go-sql-driver against the SQL administration. Usage: fairlead-flow-tests DSN; the store behind is empty.
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-sql-driver/mysql"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func same(got, wanted any) {
	if got != wanted {
		panic(fmt.Sprintf("got %v (%T), wanted %v (%T)", got, got, wanted, wanted))
	}
}

func errorNumber(err error) uint16 {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) {
		panic(fmt.Sprintf("no error of the server: %v", err))
	}
	return answer.Number
}

// Parameters make database/sql prepare a statement.
func preparedInsert(db *sql.DB) {
	result, err := db.Exec("INSERT INTO ai_users (username, max_requests_per_minute, active, comment) VALUES (?, ?, ?, ?), (?, ?, ?, ?)",
		"ada", 5, true, "it's \"ada\" \\ 日本", "bob", int64(7), false, []byte("bytes"))
	must(err)
	affected, err := result.RowsAffected()
	must(err)
	same(affected, int64(2))
	first, err := result.LastInsertId()
	must(err)
	var id int64
	must(db.QueryRow("SELECT id FROM ai_users WHERE username = 'ada'").Scan(&id))
	same(first, id)
}

func typedRows(db *sql.DB) {
	var (
		limit    int64
		isActive bool
		comment  string
		created  time.Time
	)
	const query = "SELECT max_requests_per_minute, active, comment, created_at FROM ai_users WHERE username = "
	for _, row := range []*sql.Row{db.QueryRow(query + "'ada'"), db.QueryRow(query+"?", "ada")} {
		must(row.Scan(&limit, &isActive, &comment, &created))
		same(limit, int64(5))
		same(isActive, true)
		same(comment, "it's \"ada\" \\ 日本")
		if age := time.Since(created); age < -time.Minute || age > time.Hour {
			panic(fmt.Sprintf("created_at is %v", created))
		}
	}
	rows, err := db.Query("SELECT id, username, created_at, 1.5 AS real FROM ai_users ORDER BY id")
	must(err)
	defer rows.Close()
	types, err := rows.ColumnTypes()
	must(err)
	names := ""
	for _, column := range types {
		names += column.DatabaseTypeName() + " "
	}
	same(names, "BIGINT VARCHAR DATETIME DOUBLE ")
}

func parametersOfAllTypes(db *sql.DB) {
	statement, err := db.Prepare("SELECT ? AS i, ? AS f, ? AS t, ? AS b, ? AS n")
	must(err)
	defer statement.Close()
	for i := int64(-2); i < 3; i++ {
		var (
			integer int64
			real    float64
			text    string
			bytes   []byte
			nothing sql.NullString
		)
		must(statement.QueryRow(i<<40, 1.25, "ü'\\\"", []byte{0, 1, 0xff}, nil).Scan(&integer, &real, &text, &bytes, &nothing))
		same(integer, i<<40)
		same(real, 1.25)
		same(text, "ü'\\\"")
		same(string(bytes), "\x00\x01\xff")
		same(nothing.Valid, false)
	}
}

func transactions(db *sql.DB) {
	count := func(from interface {
		QueryRow(string, ...any) *sql.Row
	}) (n int64) {
		must(from.QueryRow("SELECT count(*) FROM ai_users").Scan(&n))
		return n
	}
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Rollback, (*sql.Tx).Commit} {
		tx, err := db.Begin()
		must(err)
		_, err = tx.Exec("INSERT INTO ai_users (username) VALUES (?)", "eve")
		must(err)
		same(count(tx), int64(3))
		same(count(db), int64(2)) // another connection of the pool
		must(end(tx))
	}
	same(count(db), int64(3))
}

func errorsOfTheServer(db *sql.DB) {
	_, err := db.Exec("INSERT INTO ai_users (username) VALUES (?)", "ada")
	same(errorNumber(err), uint16(1062))
	_, err = db.Exec("NONSENSE")
	same(errorNumber(err), uint16(1064))
	_, err = db.Prepare("SELECT * FROM nowhere WHERE a = ?")
	same(errorNumber(err), uint16(1146))
	must(db.Ping())
}

func showStats(db *sql.DB) {
	rows, err := db.Query("SHOW STATS")
	must(err)
	defer rows.Close()
	facts := 0
	for ; rows.Next(); facts++ {
		var name, value string
		must(rows.Scan(&name, &value))
	}
	must(rows.Err())
	same(facts, 4)
}

func main() {
	config, err := mysql.ParseDSN(os.Args[1])
	must(err)
	config.ParseTime = true
	for _, interpolates := range []bool{false, true} {
		config.InterpolateParams = interpolates
		connector, err := mysql.NewConnector(config)
		must(err)
		db := sql.OpenDB(connector)
		must(db.Ping())
		preparedInsert(db)
		typedRows(db)
		if !interpolates { // bytes become text otherwise
			parametersOfAllTypes(db)
		}
		transactions(db)
		errorsOfTheServer(db)
		showStats(db)
		_, err = db.Exec("DELETE FROM ai_users WHERE 1")
		must(err)
		must(db.Close())
	}
	fmt.Println("ok")
}
