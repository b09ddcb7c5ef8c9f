CREATE TABLE tasks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    task_id text NOT NULL UNIQUE,
    intent text NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'cancelled')),
    content jsonb,
    priority integer NOT NULL DEFAULT 3 CHECK (priority BETWEEN 1 AND 5),
    created_by text,
    assigned_to text,
    parent_task_id uuid REFERENCES tasks (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    failed_at timestamptz,
    error_message text,
    retry_count integer NOT NULL DEFAULT 0,
    max_retries integer NOT NULL DEFAULT 3,
    timeout_seconds integer NOT NULL DEFAULT 300,
    metadata jsonb
);
CREATE INDEX tasks_status ON tasks (status);

CREATE TABLE task_results (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    task_id uuid NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    result_type text NOT NULL,
    content jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb
);

CREATE TABLE processed_msgs (
    message_id text PRIMARY KEY,
    processed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX processed_msgs_processed_at ON processed_msgs (processed_at);

CREATE TABLE agent_registry (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL UNIQUE,
    type text NOT NULL,
    version text NOT NULL,
    status text NOT NULL DEFAULT 'active',
    endpoint_url text,
    health_check_url text,
    capabilities jsonb,
    configuration jsonb,
    last_heartbeat timestamptz
);

INSERT INTO agent_registry (name, type, version, endpoint_url) VALUES
    ('alfred-bot', 'agent', '1.0.0', 'http://alfred-bot:8011'),
    ('social-intel', 'agent', '1.0.0', 'http://social-intel:9000'),
    ('legal-compliance', 'agent', '1.0.0', 'http://legal-compliance:9002');

-- Four days of messages: half of them are past their 48 hours.
INSERT INTO processed_msgs (message_id, processed_at)
SELECT 'old-' || n, now() - n * interval '5 seconds' FROM generate_series(1, 69120) AS n;
