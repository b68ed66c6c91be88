// SPDX-License-Identifier: Apache-2.0
// mysql2 against the SQL administration. Usage: node mysql2.mjs PORT [PASSWORD]; the store behind is empty.
import assert from "node:assert/strict";
import mysql from "mysql2/promise";

const options = { host: "127.0.0.1", port: Number(process.argv[2]), user: "admin", password: process.argv[3] ?? "" };
const connection = await mysql.createConnection(options);
const pool = mysql.createPool({ ...options, connectionLimit: 3, database: "fairlead" });

async function failure(promise) {
  const error = await promise.then(() => assert.fail("succeeded"), (e) => e);
  return [error.errno, error.sqlState, error.code];
}

const checks = {
  async "insert, typed rows"() {
    const [result] = await connection.query(
      "INSERT INTO ai_users (username, max_requests_per_minute, comment) VALUES ('ada', 5, 'it''s \"a\" \\\\ 日本'), ('bob', 6, '')");
    assert.deepEqual([result.affectedRows, result.insertId, result.warningStatus], [2, 1, 0]);
    const [rows, fields] = await connection.query(
      "SELECT id, username, comment, active, created_at, 1.5 AS half, NULL AS absent FROM ai_users ORDER BY id");
    const { created_at, ...row } = rows[0];
    assert.deepEqual(row, { id: 1, username: "ada", comment: "it's \"a\" \\ 日本", active: 1, half: 1.5, absent: null });
    assert.ok(created_at instanceof Date && !Number.isNaN(created_at.valueOf()));
    assert.deepEqual(fields.slice(0, 2).map((f) => [f.name, f.table]), [["id", "ai_users"], ["username", "ai_users"]]);
  },
  async "prepared statements with parameters of all types"() {
    const [rows] = await connection.execute("SELECT ? AS i, ? AS f, ? AS t, ? AS b, ? AS n, ? AS yes",
      [-7, 1.25, "ü'\\\"", Buffer.from([0, 1, 255]), null, true]);
    assert.equal(Number(rows[0].i), -7);
    assert.equal(Number(rows[0].f), 1.25);
    assert.equal(rows[0].t, "ü'\\\"");
    assert.deepEqual(Buffer.from(rows[0].b), Buffer.from([0, 1, 255]));
    assert.equal(rows[0].n, null);
    assert.equal(Number(rows[0].yes), 1);
    for (const name of ["ada", "bob", "ada"]) {
      const [found] = await connection.execute("SELECT id, username, created_at FROM ai_users WHERE username = ?", [name]);
      assert.equal(found.length, 1);
      assert.equal(found[0].username, name);
      assert.ok(found[0].created_at instanceof Date);
    }
    const [changed] = await connection.execute("UPDATE ai_users SET comment = ?, active = ? WHERE username = ?", ["x", false, "bob"]);
    assert.equal(changed.affectedRows, 1);
    const [when] = await connection.execute("SELECT ? AS day", [new Date(Date.UTC(2026, 1, 3, 4, 5, 6))]);
    assert.match(String(when[0].day instanceof Date ? when[0].day.toISOString() : when[0].day), /2026-02-0[234]/);
  },
  async "the commands beside SQL, prepared and not"() {
    for (const how of ["query", "execute"]) {
      const [facts] = await connection[how]("SHOW STATS");
      assert.deepEqual(Object.keys(facts[0]), ["Variable", "Value"]);
      const [variables] = await connection[how]("SHOW VARIABLES LIKE 'max_retries'");
      assert.deepEqual({ ...variables[0] }, { Variable_name: "max_retries", Value: "3" });
      await connection[how]("SET max_retries = 3");
      await connection[how]("LOAD AI SERVERS TO RUNTIME");
    }
    await connection.execute("SET max_retries = ?", [4]);
    const [[row]] = await connection.query("SHOW VARIABLES LIKE 'max_retries'");
    assert.equal(row.Value, "4");
  },
  async "a transaction is seen by others when it is over"() {
    const count = async (from) => (await from.query("SELECT count(*) AS n FROM ai_users"))[0][0].n;
    for (const [end, expected] of [["rollback", 2], ["commit", 3]]) {
      await connection.beginTransaction();
      await connection.execute("INSERT INTO ai_users (username) VALUES (?)", ["eve"]);
      assert.deepEqual([await count(connection), await count(pool)], [3, 2]);
      await connection[end]();
      assert.equal(await count(pool), expected);
    }
  },
  async "errors keep the connection"() {
    assert.deepEqual(await failure(connection.query("NONSENSE")), [1064, "42000", "ER_PARSE_ERROR"]);
    assert.deepEqual(await failure(connection.execute("SELECT * FROM nowhere")), [1146, "42S02", "ER_NO_SUCH_TABLE"]);
    assert.deepEqual(await failure(connection.execute("INSERT INTO ai_users (username) VALUES (?)", ["ada"])),
      [1062, "23000", "ER_DUP_ENTRY"]);
    await connection.ping();
  },
  async "many rows, streamed, and large values"() {
    const large = "ü".repeat(100_000);
    const [[row]] = await connection.execute("SELECT ? AS large", [large]);
    assert.equal(row.large, large);
    const numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n";
    const [rows] = await connection.query(numbers);
    assert.equal(rows.length, 20000);
    assert.equal(rows[19999].i, 20000);
  },
  async "a pool, reset and change of the user"() {
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => pool.query(`SELECT ${i} AS i, database() AS d`)));
    assert.deepEqual(answers.map(([rows]) => rows[0].i), Array.from({ length: 12 }, (_, i) => i));
    assert.equal(answers[0][0][0].d, "fairlead");
    await connection.changeUser({ database: "information_schema" });
    const [[row]] = await connection.query("SELECT database() AS d, user() AS u");
    assert.deepEqual({ ...row }, { d: "information_schema", u: "admin@127.0.0.1" });
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log("ok", name);
}
await connection.end();
await pool.end();
