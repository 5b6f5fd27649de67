-- An operational database as that of ToteSys: eleven tables, of which sales orders are many. The same rows for the same number.
CREATE TYPE "PaymentTypeName" AS ENUM ('SALES_RECEIPT', 'SALES_REFUND', 'PURCHASE_PAYMENT', 'PURCHASE_REFUND');
CREATE TYPE "TransactionType" AS ENUM ('SALE', 'PURCHASE');
CREATE TABLE address (address_id serial PRIMARY KEY, address_line_1 text NOT NULL, address_line_2 text, district text,
  city text NOT NULL, postal_code text NOT NULL, country text NOT NULL, phone text NOT NULL,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE counterparty (counterparty_id serial PRIMARY KEY, counterparty_legal_name text NOT NULL,
  legal_address_id integer NOT NULL REFERENCES address, commercial_contact text, delivery_contact text,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE currency (currency_id serial PRIMARY KEY, currency_code varchar(3) NOT NULL,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE department (department_id serial PRIMARY KEY, department_name text NOT NULL, location text, manager text,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE design (design_id serial PRIMARY KEY, created_at timestamp(3) NOT NULL, design_name text NOT NULL,
  file_location text NOT NULL, file_name text NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE payment_type (payment_type_id serial PRIMARY KEY, payment_type_name "PaymentTypeName" NOT NULL,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE staff (staff_id serial PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL,
  department_id integer NOT NULL REFERENCES department, email_address text NOT NULL,
  created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE sales_order (sales_order_id serial, created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL,
  design_id integer NOT NULL, staff_id integer NOT NULL, counterparty_id integer NOT NULL, units_sold integer NOT NULL,
  unit_price numeric(10,2) NOT NULL, currency_id integer NOT NULL, agreed_delivery_date text NOT NULL,
  agreed_payment_date text NOT NULL, agreed_delivery_location_id integer NOT NULL);
CREATE TABLE purchase_order (purchase_order_id serial PRIMARY KEY, created_at timestamp(3) NOT NULL,
  last_updated timestamp(3) NOT NULL, staff_id integer NOT NULL, counterparty_id integer NOT NULL, item_code text NOT NULL,
  item_quantity integer NOT NULL, item_unit_price numeric(10,2) NOT NULL, currency_id integer NOT NULL,
  agreed_delivery_date text NOT NULL, agreed_payment_date text NOT NULL, agreed_delivery_location_id integer NOT NULL);
CREATE TABLE transaction (transaction_id serial PRIMARY KEY, transaction_type "TransactionType" NOT NULL,
  sales_order_id integer, purchase_order_id integer, created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL);
CREATE TABLE payment (payment_id serial PRIMARY KEY, created_at timestamp(3) NOT NULL, last_updated timestamp(3) NOT NULL,
  transaction_id integer NOT NULL, counterparty_id integer NOT NULL, payment_amount numeric(10,2) NOT NULL,
  currency_id integer NOT NULL, payment_type_id integer NOT NULL, paid boolean NOT NULL, payment_date text NOT NULL,
  company_ac_number integer NOT NULL, counterparty_ac_number integer NOT NULL);

INSERT INTO address SELECT i, i || ' Alder Way', nullif('Flat ' || i % 3, 'Flat 0'), NULL, 'Łódź', lpad(i::text, 5, '0'),
  'Côte d''Ivoire', '0800 ' || i, t, t FROM generate_series(1, 30) AS i, (SELECT timestamp '2022-11-03 14:20:49.962') AS s(t);
INSERT INTO counterparty SELECT i, 'O''Hara, Petrov & ' || i, i, NULL, '', t, t
  FROM generate_series(1, 20) AS i, (SELECT timestamp '2022-11-03 14:20:49.962') AS s(t);
INSERT INTO currency SELECT i, c, t, t FROM (VALUES (1, 'GBP'), (2, 'USD'), (3, 'EUR')) AS v(i, c),
  (SELECT timestamp '2022-11-03 14:20:49.962') AS s(t);
INSERT INTO department SELECT i, 'Department ' || i, 'Leds', NULL, t, t
  FROM generate_series(1, 8) AS i, (SELECT timestamp '2022-11-03 14:20:49.962') AS s(t);
INSERT INTO design SELECT i, t, 'Bronze', '/private/var', 'bronze-' || i || '.json', t
  FROM generate_series(1, 400) AS i, (SELECT timestamp '2022-11-03 14:20:49.962') AS s(t);
INSERT INTO payment_type SELECT i, n, t, t FROM unnest(enum_range(NULL::"PaymentTypeName")) WITH ORDINALITY AS e(n, i),
  (SELECT timestamp '2022-11-03 14:20:49.962') AS s(t);
INSERT INTO staff SELECT i, 'Zoë', 'D''Souza', 1 + i % 8, 'staff' || i || '@example.org', t, t
  FROM generate_series(1, 20) AS i, (SELECT timestamp '2022-11-03 14:20:49.962') AS s(t);

CREATE FUNCTION pick(i bigint, salt bigint, below bigint) RETURNS bigint IMMUTABLE LANGUAGE sql
  AS 'SELECT (hashint8extended(i, salt) & 9223372036854775807) % below';
CREATE FUNCTION moment(i bigint, rows bigint) RETURNS timestamp(3) IMMUTABLE LANGUAGE sql
  AS $$SELECT (timestamp '2022-11-03 14:20:49.962' + (i * 77760000000 / rows + pick(i, 1, 1000)) * interval '1 millisecond')::timestamp(3)$$;
CREATE FUNCTION orders(first bigint, last bigint, rows bigint) RETURNS SETOF sales_order LANGUAGE sql AS $$
  SELECT i::integer, t, t + pick(i, 2, 3) * interval '1 hour', 1 + pick(i, 3, 400)::integer, 1 + pick(i, 4, 20)::integer,
    1 + pick(i, 5, 20)::integer, 1000 + pick(i, 6, 99001)::integer, (200 + pick(i, 7, 201))::numeric / 100,
    1 + pick(i, 8, 3)::integer, to_char(t + (1 + pick(i, 9, 6)) * interval '1 day', 'YYYY-MM-DD'),
    to_char(t + (1 + pick(i, 10, 6)) * interval '1 day', 'YYYY-MM-DD'), 1 + pick(i, 11, 30)::integer
  FROM generate_series(first, last) AS i, moment(i, rows) AS t$$;
INSERT INTO sales_order SELECT * FROM orders(1, :rows, :rows);
ALTER TABLE sales_order ADD PRIMARY KEY (sales_order_id);
INSERT INTO purchase_order SELECT i, t, t, 1 + pick(i, 4, 20), 1 + pick(i, 5, 20), 'IT-' || i, i, 12.5, 1 + pick(i, 8, 3),
  to_char(t, 'YYYY-MM-DD'), to_char(t, 'YYYY-MM-DD'), 1 FROM generate_series(1, 500) AS i, moment(i, 500) AS t;
INSERT INTO transaction SELECT i, 'SALE', i, NULL, t, t FROM generate_series(1, 500) AS i, moment(i, 500) AS t;
INSERT INTO payment SELECT i, t, t, i, 1 + pick(i, 5, 20), 99.5, 1, 1, i % 2 = 0, to_char(t, 'YYYY-MM-DD'), i, i
  FROM generate_series(1, 500) AS i, moment(i, 500) AS t;
VACUUM ANALYZE;
